// Columns of text, as the original's `ls` prints them.
#ifndef CLI_OUTPUT_TABLE_H_
#define CLI_OUTPUT_TABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::cli {

/// Aligns lines whose cells end in tabs: a column is as wide as its widest cell and three blanks
/// more, at least five; what follows the last tab of a line is no cell and stays as it is. Width
/// counts characters of UTF-8. Time and space are linear in `text`.
std::string AlignColumns(absl::string_view text);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_TABLE_H_
