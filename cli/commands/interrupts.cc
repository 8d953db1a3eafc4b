#include "cli/commands/interrupts.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace machine::cli {
namespace {

// A signal handler can reach nothing but statics. The pipe carries 'i' for an interrupt and 'q' to
// end the thread.
std::atomic<int> interrupt_pipe = -1;

void OnSignal(int) {
  const int before = errno;
  const char interrupt = 'i';
  // A full pipe means that more interrupts wait than anybody will read.
  [[maybe_unused]] const ssize_t written = write(interrupt_pipe.load(), &interrupt, 1);
  errno = before;
}

}  // namespace

void SignalInterrupts::Start(Handler handler) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;  // Ctrl-C then ends the process, as it always does.
  interrupt_pipe = ends[1];
  thread_ = std::thread([read_end = ends[0], handler = std::move(handler)] {
    char what = 0;
    for (int count = 0; read(read_end, &what, 1) == 1 && what == 'i';) handler(++count);
    close(read_end);
  });
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

void SignalInterrupts::Stop() {
  if (!thread_.joinable()) return;
  signal(SIGINT, SIG_DFL);
  const char quit = 'q';
  const int write_end = interrupt_pipe.exchange(-1);
  [[maybe_unused]] const ssize_t written = write(write_end, &quit, 1);
  thread_.join();
  close(write_end);
}

}  // namespace machine::cli
