#include "tests/golden/transcript.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace machine::tests {
namespace {

void AppendLines(absl::string_view sign, absl::string_view text, std::string& to) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const absl::string_view line = text.substr(0, end);
    absl::StrAppend(&to, sign, end == absl::string_view::npos ? "~" : "", line.empty() ? "" : " ",
                    line, "\n");
    text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
  }
}

// The text of a line after its sign.
std::string LineText(absl::string_view line) {
  const bool ended = !absl::ConsumePrefix(&line, "~");
  absl::ConsumePrefix(&line, " ");
  return absl::StrCat(line, ended ? "\n" : "");
}

}  // namespace

std::vector<TranscriptStep> ParseTranscript(absl::string_view text) {
  std::vector<TranscriptStep> steps;
  std::string heading;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    const char sign = line.empty() ? '#' : line[0];
    if (sign == '$') {
      steps.push_back({.heading = heading, .command = std::string(line.substr(2))});
      heading.clear();
      continue;
    }
    const absl::string_view rest = line.empty() ? line : line.substr(1);
    if (sign == '<' && !steps.empty()) {
      steps.back().input += LineText(rest);
    } else if (sign == '|' && !steps.empty()) {
      steps.back().out += LineText(rest);
    } else if (sign == '!' && !steps.empty()) {
      steps.back().err += LineText(rest);
    } else if (sign == '=' && !steps.empty()) {
      steps.back().exit_code =
          absl::SimpleAtoi(rest, &steps.back().exit_code) ? steps.back().exit_code : -1;
    } else {
      absl::StrAppend(&heading, line, "\n");
    }
  }
  return steps;
}

std::string TranscriptText(const std::vector<TranscriptStep>& steps) {
  std::string text;
  for (const TranscriptStep& step : steps) {
    absl::StrAppend(&text, step.heading, "$ ", step.command, "\n");
    AppendLines("<", step.input, text);
    AppendLines("|", step.out, text);
    AppendLines("!", step.err, text);
    absl::StrAppend(&text, "= ", step.exit_code, "\n");
  }
  return text;
}

}  // namespace machine::tests
