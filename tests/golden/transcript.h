// A transcript: command lines with what they print and how they end, as a text file.
//
//   # A comment; it stands before the command that it is about.
//   $ docker-machine status nope
//   ! Docker machine "nope" does not exist. …
//   = 1
//
// `$` begins a line for bash, `<` a line of its standard input, `|` one of its standard output, `!`
// one of its standard error, `=` its exit status. `|~` and `!~` are lines without an end.
#ifndef TESTS_GOLDEN_TRANSCRIPT_H_
#define TESTS_GOLDEN_TRANSCRIPT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::tests {

struct TranscriptStep {
  /// Comments and empty lines before it, as they are.
  std::string heading;
  std::string command;
  std::string input;
  std::string out;
  std::string err;
  int exit_code = 0;
};

/// All steps of `text`. Lines that begin with none of the signs are taken for headings.
std::vector<TranscriptStep> ParseTranscript(absl::string_view text);

/// The reverse of ParseTranscript().
std::string TranscriptText(const std::vector<TranscriptStep>& steps);

}  // namespace machine::tests

#endif  // TESTS_GOLDEN_TRANSCRIPT_H_
