#include "cli/output/terminal.h"

#include <sys/ioctl.h>

namespace machine::cli {

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  termios settings = {};
  if (tcgetattr(fd, &settings) != 0) return;
  before_ = settings;
  cfmakeraw(&settings);
  tcsetattr(fd, TCSANOW, &settings);
}

RawTerminal::~RawTerminal() {
  if (before_.has_value()) tcsetattr(fd_, TCSANOW, &*before_);
}

TerminalSize SizeOfTerminal(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

}  // namespace machine::cli
