#include "tests/fakes/openapi/description.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/fakes/openapi/schema.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

std::string PathOfUrl(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != absl::string_view::npos) {
    const size_t slash = url.find('/', scheme + 3);
    url = slash == absl::string_view::npos ? "" : url.substr(slash);
  }
  return std::string(absl::StripSuffix(url, "/"));
}

std::string TextOf(const Json& json, const std::string& key) {
  const Json& member = MemberOf(json, key);
  return member.is_string() ? member.get<std::string>() : "";
}

bool IsRequired(const Json& parameter) { return MemberOf(parameter, "required") == true; }

// Matches `path` with a template such as "/v2/droplets/{id}/actions"; a part may hold text beside
// the brace. Returns how many characters of it are fixed, or no value.
std::optional<size_t> MatchTemplate(absl::string_view pattern, absl::string_view path,
                                    std::vector<std::pair<std::string, std::string>>& values) {
  const std::vector<absl::string_view> want = absl::StrSplit(pattern, '/');
  const std::vector<absl::string_view> have = absl::StrSplit(path, '/');
  if (want.size() != have.size()) return std::nullopt;
  size_t fixed = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const size_t open = want[i].find('{');
    if (open == absl::string_view::npos) {
      if (want[i] != have[i]) return std::nullopt;
      fixed += want[i].size() + 1;
      continue;
    }
    const size_t close = want[i].find('}', open);
    if (close == absl::string_view::npos) return std::nullopt;
    absl::string_view value = have[i];
    if (!absl::ConsumePrefix(&value, want[i].substr(0, open)) ||
        !absl::ConsumeSuffix(&value, want[i].substr(close + 1)) || value.empty()) {
      return std::nullopt;
    }
    fixed += want[i].size() - (close + 1 - open);
    values.emplace_back(std::string(want[i].substr(open + 1, close - open - 1)),
                        std::string(value));
  }
  return fixed;
}

}  // namespace

ApiDescription::ApiDescription(Json document) : document_(std::move(document)) {
  const Json& servers = MemberOf(document_, "servers");
  if (servers.is_array() && !servers.empty()) {
    base_path_ = PathOfUrl(TextOf(servers.front(), "url"));
  } else {
    base_path_ = PathOfUrl(TextOf(document_, "basePath"));
  }
}

absl::StatusOr<ApiDescription> ApiDescription::Load(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("there is no ", path));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return Parse(text);
}

absl::StatusOr<ApiDescription> ApiDescription::Parse(absl::string_view text) {
  Json document = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!MemberOf(document, "paths").is_object()) {
    return absl::InvalidArgumentError("this is no OpenAPI document: it has no paths");
  }
  return ApiDescription(std::move(document));
}

std::optional<ApiDescription::Operation> ApiDescription::Find(const Request& request) const {
  const std::string method = absl::AsciiStrToLower(request.method);
  std::optional<Operation> best;
  size_t best_fixed = 0;
  for (const auto& [pattern, item] : document_.at("paths").items()) {
    const Json& operation = MemberOf(Resolve(document_, item), method);
    if (!operation.is_object()) continue;
    Operation found;
    std::optional<size_t> fixed =
        MatchTemplate(absl::StrCat(base_path_, pattern), request.path, found.path_values);
    if (!fixed.has_value() || (best.has_value() && *fixed <= best_fixed)) continue;
    found.label = absl::StrCat(request.method, " ", base_path_, pattern);
    found.item = &Resolve(document_, item);
    found.operation = &operation;
    best = std::move(found);
    best_fixed = *fixed;
  }
  return best;
}

std::vector<const Json*> ApiDescription::ParametersOf(const Operation& operation) const {
  std::vector<const Json*> parameters;
  for (const Json* const owner : {operation.operation, operation.item}) {
    const Json& list = MemberOf(*owner, "parameters");
    if (!list.is_array()) continue;
    for (const Json& each : list) parameters.push_back(&Resolve(document_, each));
  }
  return parameters;
}

absl::Status ApiDescription::CheckParameters(const Operation& operation,
                                             const Request& request) const {
  const SchemaChecker checker(document_);
  std::set<std::string> known;
  for (const Json* const parameter : ParametersOf(operation)) {
    const std::string name = TextOf(*parameter, "name");
    const std::string in = TextOf(*parameter, "in");
    // In Swagger 2 the parameter is its own schema.
    const Json& inner = MemberOf(*parameter, "schema");
    const Json& schema = inner.is_null() ? *parameter : inner;
    std::vector<std::string> values;
    if (in == "query") {
      known.insert(name);
      const auto [begin, end] = request.query.equal_range(name);
      for (auto it = begin; it != end; ++it) values.push_back(it->second);
    } else if (in == "header") {
      if (!request.Header(name).empty()) values.push_back(request.Header(name));
    } else if (in == "path") {
      for (const auto& [key, value] : operation.path_values) {
        if (key == name) values.push_back(value);
      }
    } else {
      continue;
    }
    const std::string where = absl::StrCat(in, " parameter ", name);
    if (values.empty() && IsRequired(*parameter)) {
      return absl::InvalidArgumentError(absl::StrCat(where, " is missing"));
    }
    for (const std::string& value : values) {
      absl::Status status = checker.CheckText(schema, value, where);
      if (!status.ok()) return status;
    }
  }
  for (const auto& [name, value] : request.query) {
    if (!known.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("query parameter ", name, " is not one that the description has"));
    }
  }
  return absl::OkStatus();
}

const Json* ApiDescription::BodySchema(const Operation& operation, const Request& request,
                                       bool& required, absl::Status& status) const {
  for (const Json* const parameter : ParametersOf(operation)) {
    if (TextOf(*parameter, "in") != "body") continue;
    required = IsRequired(*parameter);
    return &MemberOf(*parameter, "schema");
  }
  const Json& body = Resolve(document_, MemberOf(*operation.operation, "requestBody"));
  if (!body.is_object()) return nullptr;
  required = IsRequired(body);
  const Json& content = MemberOf(body, "content");
  const std::string header = request.Header("Content-Type");
  const std::string type(absl::StripAsciiWhitespace(header.substr(0, header.find(';'))));
  const Json& media = MemberOf(content, type.empty() ? "application/json" : type);
  if (!media.is_null()) return &MemberOf(media, "schema");
  const Json& any = MemberOf(content, "*/*");
  if (!any.is_null()) return &MemberOf(any, "schema");
  status = absl::InvalidArgumentError(absl::StrCat("Content-Type \"", type, "\" is not accepted"));
  return nullptr;
}

absl::Status ApiDescription::CheckBody(const Operation& operation, const Request& request) const {
  bool required = false;
  absl::Status status;
  const Json* const schema = BodySchema(operation, request, required, status);
  if (request.body.empty()) {
    return required ? absl::InvalidArgumentError("the body is missing") : absl::OkStatus();
  }
  if (!status.ok()) return status;
  if (schema == nullptr) return absl::InvalidArgumentError("it takes no body");
  const Json body = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded()) return absl::InvalidArgumentError("the body is not JSON");
  return SchemaChecker(document_).Check(*schema, body, "body");
}

absl::Status ApiDescription::Check(const Request& request) const {
  const std::optional<Operation> operation = Find(request);
  if (!operation.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        request.method, " ", request.path, ": the description has no such path and method"));
  }
  absl::Status status = CheckParameters(*operation, request);
  if (status.ok()) status = CheckBody(*operation, request);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(operation->label, ": ", status.message()));
}

std::optional<std::string> DescriptionsFolder() {
  const char* const folder = std::getenv("MACHINE_SPECS_DIR");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

FakeServer::Checker FitsOneOf(std::vector<ApiDescription> descriptions) {
  auto all = std::make_shared<const std::vector<ApiDescription>>(std::move(descriptions));
  return [all](const Request& request) {
    absl::Status status = absl::InvalidArgumentError("there is no description");
    for (const ApiDescription& description : *all) {
      status = description.Check(request);
      if (status.ok() || description.Knows(request)) return status;
    }
    return status;
  };
}

}  // namespace machine::fakes
