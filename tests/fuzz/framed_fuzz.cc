// Messages of the bootstrap: a driver's program may write anything.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "services/common/process/framed.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kPipe = 60'000;  // What a pipe takes while nobody reads.
  constexpr int64_t kMaxBytes = 4096;
  int ends[2];
  machine::fuzz::Expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
  const size_t count = std::min(size, kPipe);
  machine::fuzz::Expect(write(ends[1], data, count) == static_cast<ssize_t>(count), "short write");
  close(ends[1]);
  size_t taken = 0;
  while (true) {
    const auto message = machine::common::ReadFramed(ends[0], kMaxBytes);
    if (!message.ok()) break;
    taken += 4 + message->size();
    machine::fuzz::Expect(message->size() <= kMaxBytes && taken <= count, "more than was sent");
  }
  close(ends[0]);
  return 0;
}
