// The terminal a command runs in.
#ifndef CLI_OUTPUT_TERMINAL_H_
#define CLI_OUTPUT_TERMINAL_H_

#include <termios.h>

#include <optional>

namespace machine::cli {

/// Hands each key to the program as it is pressed, Ctrl-C included, until it goes. Does nothing
/// when `fd` is no terminal. A program that is killed meanwhile leaves the terminal so.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  const int fd_;
  std::optional<termios> before_;
};

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

/// The size of the terminal at `fd`; 80 by 24 when it is none.
TerminalSize SizeOfTerminal(int fd);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_TERMINAL_H_
