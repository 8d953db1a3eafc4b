#include "cli/args/flags.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// An argument as a flag: its name, and its value when that follows a '='.
struct Token {
  absl::string_view name;
  std::optional<absl::string_view> value;
};

// One or two dashes mean the same. "-" alone is an operand; "--" is not asked about here.
std::optional<Token> AsFlag(absl::string_view arg) {
  if (arg.size() < 2 || arg[0] != '-') return std::nullopt;
  arg.remove_prefix(arg[1] == '-' ? 2 : 1);
  const size_t equals = arg.find('=');
  if (equals == absl::string_view::npos) return Token{arg, std::nullopt};
  return Token{arg.substr(0, equals), arg.substr(equals + 1)};
}

const Flag* FindFlag(absl::Span<const Flag> flags, absl::string_view name) {
  for (const Flag& flag : flags) {
    for (const std::string& candidate : flag.names) {
      if (candidate == name) return &flag;
    }
  }
  return nullptr;
}

absl::Status CheckValue(const Flag& flag, absl::string_view name, const std::string& value) {
  int64_t number = 0;
  if (flag.type == FlagType::kBool && !ParseGoBool(value).has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("invalid boolean value ", GoQuote(value),
                                                   " for -", name, ": true or false is wanted"));
  }
  if (flag.type == FlagType::kInt && !absl::SimpleAtoi(value, &number)) {
    return absl::InvalidArgumentError(absl::StrCat("invalid value ", GoQuote(value), " for flag -",
                                                   name, ": a whole number is wanted"));
  }
  return absl::OkStatus();
}

std::vector<std::string> DefaultOf(const Flag& flag, const Environment& env, bool& set) {
  for (const std::string& variable : flag.env_vars) {
    const std::string value = env.Get(variable);
    if (value.empty()) continue;
    // A variable such as DEBUG may hold another program's idea of a value.
    if (flag.type == FlagType::kBool && !ParseGoBool(value).has_value()) continue;
    set = true;
    if (flag.type == FlagType::kList) return absl::StrSplit(value, ',', absl::SkipWhitespace());
    return {value};
  }
  if (flag.default_value.empty()) return {};
  return {flag.default_value};
}

}  // namespace

std::optional<bool> ParseGoBool(absl::string_view text) {
  for (absl::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (absl::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::string GoQuote(absl::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

const ParsedArgs::Value* ParsedArgs::Find(absl::string_view name) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() ? nullptr : &it->second;
}

bool ParsedArgs::Bool(absl::string_view name) const {
  return ParseGoBool(String(name)).value_or(false);
}

std::string ParsedArgs::String(absl::string_view name) const {
  const Value* value = Find(name);
  return value == nullptr || value->texts.empty() ? "" : value->texts.back();
}

int64_t ParsedArgs::Int(absl::string_view name) const {
  int64_t number = 0;
  return absl::SimpleAtoi(String(name), &number) ? number : 0;
}

std::vector<std::string> ParsedArgs::List(absl::string_view name) const {
  const Value* value = Find(name);
  return value == nullptr ? std::vector<std::string>() : value->texts;
}

bool ParsedArgs::IsSet(absl::string_view name) const {
  const Value* value = Find(name);
  return value != nullptr && value->set;
}

absl::StatusOr<ParsedArgs> ParseArgs(absl::Span<const Flag> flags,
                                     absl::Span<const std::string> args, const Environment& env,
                                     ParseOptions options) {
  ParsedArgs parsed;
  std::map<std::string, std::vector<std::string>> given;
  size_t i = 0;
  for (; i < args.size(); ++i) {
    if (args[i] == "--") {
      ++i;
      break;
    }
    const std::optional<Token> token = AsFlag(args[i]);
    if (!token.has_value()) {
      if (options.stop_at_operand) break;
      parsed.operands.push_back(args[i]);
      continue;
    }
    const Flag* flag = FindFlag(flags, token->name);
    if (flag == nullptr) {
      if (token->name == "help" || token->name == "h") {
        parsed.help = true;
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat("flag provided but not defined: -", token->name));
    }
    std::string value;
    if (token->value.has_value()) {
      value = std::string(*token->value);
    } else if (flag->type == FlagType::kBool) {
      value = "true";
    } else if (i + 1 < args.size()) {
      value = args[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat("flag needs an argument: -", token->name));
    }
    DM_RETURN_IF_ERROR(CheckValue(*flag, token->name, value));
    given[flag->names[0]].push_back(std::move(value));
  }
  for (; i < args.size(); ++i) parsed.operands.push_back(args[i]);

  for (const Flag& flag : flags) {
    ParsedArgs::Value& value = parsed.values_[flag.names[0]];
    if (const auto it = given.find(flag.names[0]); it != given.end()) {
      value = {std::move(it->second), true};
      continue;
    }
    value.texts = DefaultOf(flag, env, value.set);
    for (const std::string& text : value.texts) {
      DM_RETURN_IF_ERROR(common::Annotate(CheckValue(flag, flag.names[0], text), "environment"));
    }
  }
  return parsed;
}

std::optional<std::string> PeekFlag(absl::Span<const std::string> args,
                                    absl::Span<const absl::string_view> names) {
  for (size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    const std::optional<Token> token = AsFlag(args[i]);
    if (!token.has_value()) continue;
    for (absl::string_view name : names) {
      if (token->name != name) continue;
      if (token->value.has_value()) return std::string(*token->value);
      return i + 1 < args.size() ? args[i + 1] : "";
    }
  }
  return std::nullopt;
}

}  // namespace machine::cli
