// The syntax tree of a template. For go_template*.cc only.
#ifndef CLI_OUTPUT_GO_TEMPLATE_TREE_H_
#define CLI_OUTPUT_GO_TEMPLATE_TREE_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli::internal {

struct TemplatePipeline;

/// One word of a command.
struct TemplateOperand {
  enum class Kind { kLiteral, kDot, kVariable, kFunction, kPipeline };
  Kind kind = Kind::kLiteral;
  nlohmann::json literal;
  /// Of the variable (without '$') or function.
  std::string name;
  /// Fields that follow.
  std::vector<std::string> path;
  std::shared_ptr<const TemplatePipeline> pipeline;
};

struct TemplatePipeline {
  /// Variables that the pipeline declares, without '$'; two of them only in a range.
  std::vector<std::string> variables;
  /// They are there already and get another value: `=` instead of `:=`.
  bool assigns = false;
  /// Each a command: its first operand with arguments.
  std::vector<std::vector<TemplateOperand>> commands;
};

struct TemplateNode;

struct TemplateBlock {
  std::vector<TemplateNode> nodes;
};

struct TemplateNode {
  enum class Kind { kText, kAction, kIf, kRange, kWith };
  Kind kind = Kind::kText;
  std::string text;
  TemplatePipeline pipeline;
  TemplateBlock body;
  TemplateBlock otherwise;
};

absl::StatusOr<TemplateBlock> ParseTemplate(absl::string_view text);

/// Calls a function of templates. INVALID_ARGUMENT for wrong arguments.
absl::StatusOr<nlohmann::json> CallTemplateFunction(absl::string_view name,
                                                    const std::vector<nlohmann::json>& arguments);

bool IsTemplateFunction(absl::string_view name);

/// Whether Go takes `value` for true: neither empty nor zero.
bool IsTemplateTrue(const nlohmann::json& value);

/// `value` as Go's %v prints it.
std::string TemplateText(const nlohmann::json& value);

}  // namespace machine::cli::internal

#endif  // CLI_OUTPUT_GO_TEMPLATE_TREE_H_
