#include "cli/output/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace machine::cli {
namespace {

constexpr absl::string_view kFrames = "|/-\\";
// To the start of the line, and clear it.
constexpr absl::string_view kClear = "\r\x1b[K";

// What a program prints to move the cursor would leave the last line in pieces.
std::string WithoutControls(absl::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return plain;
}

// Its first `count` characters of UTF-8.
absl::string_view FirstCharacters(absl::string_view text, size_t count) {
  size_t end = 0;
  while (end < text.size() && count > 0) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    --count;
  }
  return text.substr(0, end);
}

// "7s", "1m35s", "2h0m3s".
std::string TimeText(absl::Duration time) {
  const absl::Duration seconds = absl::Trunc(time, absl::Seconds(1));
  return seconds == absl::ZeroDuration() ? "0s" : absl::FormatDuration(seconds);
}

// One line of a terminal, however narrow: of one that wraps, only the last part could be cleared.
std::string SpinnerLine(char frame, absl::string_view status, absl::Duration time, int columns) {
  const std::string end = absl::StrCat(" ", TimeText(time));
  const size_t taken = end.size() + 3;  // The frame, a blank, and the last column.
  const size_t room = std::max<size_t>(static_cast<size_t>(std::max(columns, 0)), taken) - taken;
  return absl::StrCat(std::string(1, frame), " ", FirstCharacters(status, room), end);
}

}  // namespace

Progress::Progress(Console& console, size_t lanes, Options options)
    : console_(console), options_(options), start_(absl::Now()), lanes_(lanes) {
  if (console_.OutIsTerminal() && !options_.quiet && !options_.plain) {
    spinner_ = std::thread([this] { Spin(); });
  }
}

Progress::~Progress() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  if (spinner_.joinable()) spinner_.join();
}

void Progress::Add(size_t lane, Line line) {
  absl::MutexLock lock(&mu_);
  if (lane == in_turn_) {
    PrintLocked(line);
  } else {
    lanes_[lane].waiting.push_back(std::move(line));
  }
}

void Progress::Status(size_t lane, absl::string_view status) {
  absl::MutexLock lock(&mu_);
  lanes_[lane].status = WithoutControls(status);
}

void Progress::Finish(size_t lane) {
  absl::MutexLock lock(&mu_);
  lanes_[lane].finished = true;
  while (in_turn_ < lanes_.size() && lanes_[in_turn_].finished) {
    ++in_turn_;
    if (in_turn_ == lanes_.size()) break;
    for (const Line& line : lanes_[in_turn_].waiting) PrintLocked(line);
    lanes_[in_turn_].waiting.clear();
  }
}

void Progress::PrintLocked(const Line& line) {
  if (options_.quiet && !line.error) return;
  ClearSpinnerLocked();
  const int64_t seconds = absl::ToInt64Seconds(absl::Now() - start_);
  const std::string prefix =
      options_.elapsed ? absl::StrFormat("%s[%04d] ", line.error ? "ERRO" : "INFO", seconds) : "";
  const std::string text = absl::StrCat(prefix, line.text, "\n");
  if (line.error) {
    console_.Err(text);
  } else {
    console_.Out(text);
  }
}

void Progress::ClearSpinnerLocked() {
  if (!spinner_shown_) return;
  console_.Out(kClear);
  spinner_shown_ = false;
}

void Progress::Spin() {
  absl::MutexLock lock(&mu_);
  mu_.AwaitWithTimeout(absl::Condition(&stop_), options_.spinner_after);
  for (size_t frame = 0; !stop_; ++frame) {
    if (in_turn_ < lanes_.size() && !lanes_[in_turn_].status.empty()) {
      console_.Out(
          absl::StrCat(kClear, SpinnerLine(kFrames[frame % kFrames.size()], lanes_[in_turn_].status,
                                           absl::Now() - start_, console_.OutColumns())));
      spinner_shown_ = true;
    }
    mu_.AwaitWithTimeout(absl::Condition(&stop_), options_.spinner_interval);
  }
  ClearSpinnerLocked();
}

}  // namespace machine::cli
