#include "tests/fakes/amazonec2/service_model.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

std::string Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned int code = 0;
    if (text[i] == '%' && absl::SimpleHexAtoi(text.substr(i + 1, 2), &code)) {
      decoded.push_back(static_cast<char>(code));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

// The name of a member in a query: https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
std::string QueryName(const std::string& name, const nlohmann::json& member) {
  if (member.contains("queryName")) return member["queryName"];
  std::string query = member.value("locationName", name);
  query[0] = absl::ascii_toupper(static_cast<unsigned char>(query[0]));
  return query;
}

absl::Status Wrong(const std::string& where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, " ", what));
}

}  // namespace

Form ParseForm(absl::string_view body) {
  Form form;
  for (const absl::string_view field : absl::StrSplit(body, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    form[Decode(parts.first)] = Decode(parts.second);
  }
  return form;
}

absl::StatusOr<ServiceModel> ServiceModel::Load(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("no file ", path));
  std::ostringstream text;
  text << file.rdbuf();
  return Parse(text.str());
}

absl::StatusOr<ServiceModel> ServiceModel::Parse(absl::string_view text) {
  Json model = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!model.is_object() || !model.contains("operations") || !model.contains("shapes")) {
    return absl::InvalidArgumentError("no model of a service");
  }
  return ServiceModel(std::move(model));
}

bool ServiceModel::Knows(const Form& form) const {
  const auto action = form.find("Action");
  return action != form.end() && model_["operations"].contains(action->second);
}

absl::Status ServiceModel::Check(const Form& form) const {
  if (!Knows(form)) return absl::InvalidArgumentError("no such action");
  const std::string& action = form.at("Action");
  Node root;
  for (const auto& [name, value] : form) {
    if (name == "Action" || name == "Version") continue;
    Node* node = &root;
    for (const absl::string_view part : absl::StrSplit(name, '.')) {
      node = &node->children[std::string(part)];
    }
    node->text = value;
    node->has_text = true;
  }
  return CheckNode(model_["operations"][action]["input"]["shape"], root, action);
}

absl::Status ServiceModel::CheckNode(const std::string& shape, const Node& node,
                                     const std::string& where) const {
  const Json& schema = model_["shapes"].at(shape);
  const std::string type = schema["type"];
  if (type == "structure") return CheckStructure(schema, node, where);
  if (type == "list") return CheckList(schema, node, where);
  return CheckScalar(schema, node, where);
}

absl::Status ServiceModel::CheckStructure(const Json& shape, const Node& node,
                                          const std::string& where) const {
  if (node.has_text) return Wrong(where, "is a structure, not a text");
  const Json members = shape.value("members", Json::object());
  std::map<std::string, std::pair<std::string, Json>> by_query;
  for (const auto& [name, member] : members.items()) {
    by_query[QueryName(name, member)] = {name, member};
  }
  for (const Json& required : shape.value("required", Json::array())) {
    const std::string name = required;
    if (!node.children.contains(QueryName(name, members[name]))) {
      return Wrong(absl::StrCat(where, ": ", name), "is missing");
    }
  }
  for (const auto& [name, child] : node.children) {
    const auto member = by_query.find(name);
    const std::string path = absl::StrCat(where, ": ", name);
    if (member == by_query.end()) return Wrong(path, "is unknown");
    const absl::Status status = CheckNode(member->second.second["shape"], child, path);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ServiceModel::CheckList(const Json& shape, const Node& node,
                                     const std::string& where) const {
  if (node.has_text) return Wrong(where, "is a list, not a text");
  for (size_t i = 1; i <= node.children.size(); ++i) {
    const auto child = node.children.find(absl::StrCat(i));
    if (child == node.children.end()) return Wrong(where, absl::StrCat("has no element ", i));
    const absl::Status status =
        CheckNode(shape["member"]["shape"], child->second, absl::StrCat(where, ".", i));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ServiceModel::CheckScalar(const Json& shape, const Node& node,
                                       const std::string& where) {
  if (!node.has_text || !node.children.empty()) return Wrong(where, "is a text, not a structure");
  const std::string type = shape["type"];
  int64_t number = 0;
  double decimal = 0;
  if ((type == "integer" || type == "long") && !absl::SimpleAtoi(node.text, &number)) {
    return Wrong(where, "is no whole number");
  }
  if ((type == "float" || type == "double") && !absl::SimpleAtod(node.text, &decimal)) {
    return Wrong(where, "is no number");
  }
  if (type == "boolean" && node.text != "true" && node.text != "false") {
    return Wrong(where, "is neither true nor false");
  }
  if (shape.contains("enum")) {
    const Json& values = shape["enum"];
    if (std::find(values.begin(), values.end(), node.text) == values.end()) {
      return Wrong(where, absl::StrCat("may not be \"", node.text, "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace machine::fakes
