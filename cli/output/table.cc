#include "cli/output/table.h"

#include <algorithm>
#include <vector>

namespace machine::cli {
namespace {

constexpr size_t kPadding = 3;
constexpr size_t kMinWidth = 5;

size_t Characters(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Calls visit(column, cell, is_last) for each piece of each line, and end_of_line() after it.
template <typename Visit, typename EndOfLine>
void ForEachCell(absl::string_view text, const Visit& visit, const EndOfLine& end_of_line) {
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    absl::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == absl::string_view::npos ? text.size() : newline + 1);
    for (size_t column = 0;; ++column) {
      const size_t tab = line.find('\t');
      visit(column, line.substr(0, tab), tab == absl::string_view::npos);
      if (tab == absl::string_view::npos) break;
      line.remove_prefix(tab + 1);
    }
    end_of_line(newline != absl::string_view::npos);
  }
}

}  // namespace

std::string AlignColumns(absl::string_view text) {
  std::vector<size_t> widths;
  ForEachCell(
      text,
      [&](size_t column, absl::string_view cell, bool last) {
        if (last) return;
        if (column >= widths.size()) widths.resize(column + 1, kMinWidth);
        widths[column] = std::max(widths[column], Characters(cell) + kPadding);
      },
      [](bool) {});

  std::string aligned;
  aligned.reserve(text.size() * 2);
  ForEachCell(
      text,
      [&](size_t column, absl::string_view cell, bool last) {
        aligned.append(cell.data(), cell.size());
        if (!last) aligned.append(widths[column] - Characters(cell), ' ');
      },
      [&](bool newline) {
        if (newline) aligned += '\n';
      });
  return aligned;
}

}  // namespace machine::cli
