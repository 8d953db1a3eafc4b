// A subset of Go's text/template, for --format.
//
// Supported: text; {{- trimming -}}; {{/* comments */}}; `.`, `.Field.Field`, `$`, `$name := …`;
// strings, raw strings, numbers, true, false, nil; pipelines and parentheses; if / else if / else,
// range (also
// `$i, $v :=` and else), with; and or not eq ne lt le gt ge len index print printf println json
// prettyjson join split lower upper title pad truncate slice html js urlquery.
#ifndef CLI_OUTPUT_GO_TEMPLATE_H_
#define CLI_OUTPUT_GO_TEMPLATE_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

namespace internal {
struct TemplateBlock;
}

/// A parsed template. Copyable; thread-safe.
class GoTemplate {
 public:
  /// INVALID_ARGUMENT saying what is wrong with `text`.
  static absl::StatusOr<GoTemplate> Parse(absl::string_view text);

  /// The text for `data`. A field that an object lacks prints as "<no value>"; INVALID_ARGUMENT for
  /// a field of something that is no object, and for a function's wrong arguments.
  absl::StatusOr<std::string> Execute(const nlohmann::json& data) const;

  /// As Execute(), but a field that an object lacks is INVALID_ARGUMENT, as it is of a Go struct.
  absl::StatusOr<std::string> ExecuteOnStruct(const nlohmann::json& data) const;

 private:
  explicit GoTemplate(std::shared_ptr<const internal::TemplateBlock> root);

  std::shared_ptr<const internal::TemplateBlock> root_;
};

}  // namespace machine::cli

#endif  // CLI_OUTPUT_GO_TEMPLATE_H_
