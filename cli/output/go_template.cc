#include "cli/output/go_template.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/output/go_template_tree.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using internal::TemplateBlock;
using internal::TemplateNode;
using internal::TemplateOperand;
using internal::TemplatePipeline;
using nlohmann::json;

class Executor {
 public:
  Executor(const json& root, bool strict) : strict_(strict) { variables_.emplace_back("", root); }

  absl::Status Run(const TemplateBlock& block, const json& dot) {
    const size_t scope = variables_.size();
    for (const TemplateNode& node : block.nodes) DM_RETURN_IF_ERROR(RunNode(node, dot));
    variables_.resize(scope);
    return absl::OkStatus();
  }

  std::string TakeText() { return std::move(text_); }

 private:
  absl::Status RunNode(const TemplateNode& node, const json& dot) {
    if (node.kind == TemplateNode::Kind::kText) {
      text_ += node.text;
      return absl::OkStatus();
    }
    DM_ASSIGN_OR_RETURN(const json value, Evaluate(node.pipeline, dot));
    const std::vector<std::string>& names = node.pipeline.variables;
    if (node.kind == TemplateNode::Kind::kAction) {
      if (names.empty()) {
        text_ += internal::TemplateText(value);
        return absl::OkStatus();
      }
      return Set(node.pipeline, 0, value);
    }
    const size_t scope = variables_.size();
    if (node.kind == TemplateNode::Kind::kRange) {
      DM_RETURN_IF_ERROR(RunRange(node, value, dot));
    } else {
      if (!names.empty()) DM_RETURN_IF_ERROR(Set(node.pipeline, 0, value));
      const bool truth = internal::IsTemplateTrue(value);
      const bool moves_dot = truth && node.kind == TemplateNode::Kind::kWith;
      DM_RETURN_IF_ERROR(Run(truth ? node.body : node.otherwise, moves_dot ? value : dot));
    }
    variables_.resize(scope);
    return absl::OkStatus();
  }

  absl::Status RunRange(const TemplateNode& node, const json& value, const json& dot) {
    if (!value.is_array() && !value.is_object() && !value.is_null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("range can't iterate over ", internal::TemplateText(value)));
    }
    if (value.empty()) return Run(node.otherwise, dot);
    const std::vector<std::string>& names = node.pipeline.variables;
    int64_t position = 0;
    for (const auto& item : value.items()) {
      const size_t scope = variables_.size();
      if (names.size() > 1) {
        const json key = value.is_array() ? json(position) : json(item.key());
        DM_RETURN_IF_ERROR(Set(node.pipeline, 0, key));
      }
      if (!names.empty()) {
        DM_RETURN_IF_ERROR(Set(node.pipeline, names.size() - 1, item.value()));
      }
      DM_RETURN_IF_ERROR(Run(node.body, item.value()));
      variables_.resize(scope);
      ++position;
    }
    return absl::OkStatus();
  }

  // The value of a variable that is in scope; null when none of that name is.
  json* Find(const std::string& name) {
    for (size_t i = variables_.size(); i-- > 0;) {
      if (variables_[i].first == name) return &variables_[i].second;
    }
    return nullptr;
  }

  static absl::Status Undefined(const std::string& name) {
    return absl::InvalidArgumentError(absl::StrCat("undefined variable \"$", name, "\""));
  }

  // Declares the variable at `place` in `pipeline`, or gives the one that is there another value.
  absl::Status Set(const TemplatePipeline& pipeline, size_t place, const json& value) {
    const std::string& name = pipeline.variables[place];
    if (!pipeline.assigns) {
      variables_.emplace_back(name, value);
      return absl::OkStatus();
    }
    json* const variable = Find(name);
    if (variable == nullptr) return Undefined(name);
    *variable = value;
    return absl::OkStatus();
  }

  absl::StatusOr<json> Evaluate(const TemplatePipeline& pipeline, const json& dot) {
    json value;
    for (size_t i = 0; i < pipeline.commands.size(); ++i) {
      const std::vector<TemplateOperand>& command = pipeline.commands[i];
      const TemplateOperand& first = command[0];
      if (first.kind != TemplateOperand::Kind::kFunction) {
        if (command.size() > 1 || i > 0) {
          return absl::InvalidArgumentError("can't give argument to non-function");
        }
        DM_ASSIGN_OR_RETURN(value, EvaluateOperand(first, dot));
        continue;
      }
      std::vector<json> arguments;
      for (size_t word = 1; word < command.size(); ++word) {
        DM_ASSIGN_OR_RETURN(json argument, EvaluateOperand(command[word], dot));
        arguments.push_back(std::move(argument));
      }
      if (i > 0) arguments.push_back(std::move(value));
      DM_ASSIGN_OR_RETURN(value, internal::CallTemplateFunction(first.name, arguments));
    }
    return value;
  }

  absl::StatusOr<json> EvaluateOperand(const TemplateOperand& operand, const json& dot) {
    switch (operand.kind) {
      case TemplateOperand::Kind::kLiteral:
        return operand.literal;
      case TemplateOperand::Kind::kDot:
        return Descend(dot, operand.path);
      case TemplateOperand::Kind::kVariable: {
        const json* const variable = Find(operand.name);
        if (variable == nullptr) return Undefined(operand.name);
        return Descend(*variable, operand.path);
      }
      case TemplateOperand::Kind::kFunction:
        return internal::CallTemplateFunction(operand.name, {});
      case TemplateOperand::Kind::kPipeline: {
        DM_ASSIGN_OR_RETURN(const json value, Evaluate(*operand.pipeline, dot));
        return Descend(value, operand.path);
      }
    }
    return json();
  }

  absl::StatusOr<json> Descend(const json& from, const std::vector<std::string>& path) const {
    const json* value = &from;
    for (const std::string& field : path) {
      if (!value->is_object()) {
        return absl::InvalidArgumentError(
            absl::StrCat("can't evaluate field ", field, " in type ", value->type_name()));
      }
      const auto it = value->find(field);
      if (it == value->end() && strict_) {
        return absl::InvalidArgumentError(absl::StrCat("can't evaluate field ", field));
      }
      if (it == value->end()) return json();
      value = &*it;
    }
    return *value;
  }

  // Whether a field that an object lacks is an error.
  const bool strict_;
  // The innermost last; the first is `$`.
  std::vector<std::pair<std::string, json>> variables_;
  std::string text_;
};

}  // namespace

GoTemplate::GoTemplate(std::shared_ptr<const internal::TemplateBlock> root)
    : root_(std::move(root)) {}

absl::StatusOr<GoTemplate> GoTemplate::Parse(absl::string_view text) {
  DM_ASSIGN_OR_RETURN(TemplateBlock root, internal::ParseTemplate(text));
  return GoTemplate(std::make_shared<const TemplateBlock>(std::move(root)));
}

absl::StatusOr<std::string> GoTemplate::Execute(const json& data) const {
  Executor executor(data, /*strict=*/false);
  DM_RETURN_IF_ERROR(executor.Run(*root_, data));
  return executor.TakeText();
}

absl::StatusOr<std::string> GoTemplate::ExecuteOnStruct(const json& data) const {
  Executor executor(data, /*strict=*/true);
  DM_RETURN_IF_ERROR(executor.Run(*root_, data));
  return executor.TakeText();
}

}  // namespace machine::cli
