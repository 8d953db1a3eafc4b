#include "cli/output/progress.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace machine::cli {
namespace {

constexpr absl::string_view kFrames = "|/-\\";
constexpr size_t kMaxStatus = 60;
// To the start of the line, and clear it.
constexpr absl::string_view kClear = "\r\x1b[K";

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
  lanes_[lane].status = std::string(status.substr(0, kMaxStatus));
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
      console_.Out(absl::StrFormat("%s%c %s %ds", kClear, kFrames[frame % kFrames.size()],
                                   lanes_[in_turn_].status,
                                   absl::ToInt64Seconds(absl::Now() - start_)));
      spinner_shown_ = true;
    }
    mu_.AwaitWithTimeout(absl::Condition(&stop_), options_.spinner_interval);
  }
  ClearSpinnerLocked();
}

}  // namespace machine::cli
