#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/args/flags.h"
#include "cli/output/go_template_tree.h"
#include "services/common/status/status.h"

namespace machine::cli::internal {
namespace {

using nlohmann::json;
using Arguments = std::vector<json>;
using Result = absl::StatusOr<json>;
using Function = Result (*)(const Arguments&);

// More blanks than any line has.
constexpr int64_t kMaxPadding = 1000;
constexpr auto kReplaceBadUtf8 = json::error_handler_t::replace;

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::Status CheckCount(absl::string_view name, const Arguments& arguments, size_t wanted) {
  if (arguments.size() == wanted) return absl::OkStatus();
  return Bad(absl::StrCat("wrong number of args for ", name, ": want ", wanted, " got ",
                          arguments.size()));
}

Result Json(const Arguments& arguments) {
  if (auto status = CheckCount("json", arguments, 1); !status.ok()) return status;
  return arguments[0].dump(-1, ' ', false, kReplaceBadUtf8);
}

Result PrettyJson(const Arguments& arguments) {
  if (auto status = CheckCount("prettyjson", arguments, 1); !status.ok()) return status;
  return arguments[0].dump(4, ' ', false, kReplaceBadUtf8);
}

Result And(const Arguments& arguments) {
  for (const json& argument : arguments) {
    if (!IsTemplateTrue(argument)) return argument;
  }
  return arguments.empty() ? json() : arguments.back();
}

Result Or(const Arguments& arguments) {
  for (const json& argument : arguments) {
    if (IsTemplateTrue(argument)) return argument;
  }
  return arguments.empty() ? json() : arguments.back();
}

Result Not(const Arguments& arguments) {
  if (auto status = CheckCount("not", arguments, 1); !status.ok()) return status;
  return !IsTemplateTrue(arguments[0]);
}

// Equal to any of the further ones.
Result Eq(const Arguments& arguments) {
  if (arguments.size() < 2) return Bad("missing argument for comparison");
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[0] == arguments[i]) return true;
  }
  return false;
}

Result Ne(const Arguments& arguments) {
  if (auto status = CheckCount("ne", arguments, 2); !status.ok()) return status;
  return arguments[0] != arguments[1];
}

template <typename Compare>
Result Ordered(const Arguments& arguments, const Compare& compare) {
  if (auto status = CheckCount("comparison", arguments, 2); !status.ok()) return status;
  const bool numbers = arguments[0].is_number() && arguments[1].is_number();
  const bool texts = arguments[0].is_string() && arguments[1].is_string();
  if (!numbers && !texts) return Bad("incompatible types for comparison");
  return compare(arguments[0], arguments[1]);
}

Result Len(const Arguments& arguments) {
  if (auto status = CheckCount("len", arguments, 1); !status.ok()) return status;
  const json& value = arguments[0];
  if (value.is_string()) return value.get_ref<const std::string&>().size();
  if (value.is_array() || value.is_object()) return value.size();
  return Bad(absl::StrCat("len of type ", value.type_name()));
}

Result Index(const Arguments& arguments) {
  if (arguments.empty()) return Bad("index of nothing");
  json value = arguments[0];
  for (size_t i = 1; i < arguments.size(); ++i) {
    const json& key = arguments[i];
    if (value.is_object() && key.is_string()) {
      const auto it = value.find(key.get_ref<const std::string&>());
      json found = it == value.end() ? json() : *it;
      value = std::move(found);
    } else if (value.is_array() && key.is_number_integer()) {
      const auto position = key.get<int64_t>();
      if (position < 0 || static_cast<size_t>(position) >= value.size()) {
        return Bad(absl::StrCat("index out of range: ", position));
      }
      json found = value[static_cast<size_t>(position)];
      value = std::move(found);
    } else {
      return Bad(absl::StrCat("can't index item of type ", value.type_name()));
    }
  }
  return value;
}

Result Print(const Arguments& arguments) {
  std::string text;
  for (size_t i = 0; i < arguments.size(); ++i) {
    // As fmt.Sprint: a blank between two operands when neither is a string.
    if (i > 0 && !arguments[i].is_string() && !arguments[i - 1].is_string()) text += ' ';
    text += TemplateText(arguments[i]);
  }
  return text;
}

Result Println(const Arguments& arguments) {
  std::vector<std::string> texts;
  for (const json& argument : arguments) texts.push_back(TemplateText(argument));
  return absl::StrCat(absl::StrJoin(texts, " "), "\n");
}

// One conversion such as "%-10s" with its argument.
std::string FormatOne(const std::string& flags, char verb, const json& value) {
  using absl::ParsedFormat;
  switch (verb) {
    case 'd':
    case 'o':
    case 'x':
    case 'X':
      if (!value.is_number()) break;
      if (const auto format = absl::ParsedFormat<absl::FormatConversionCharSet::kIntegral>::New(
              absl::StrCat("%", flags, std::string(1, verb)))) {
        return absl::StrFormat(*format, value.get<int64_t>());
      }
      break;
    case 'e':
    case 'f':
    case 'g':
      if (!value.is_number()) break;
      if (const auto format = absl::ParsedFormat<absl::FormatConversionCharSet::kFloating>::New(
              absl::StrCat("%", flags, std::string(1, verb)))) {
        return absl::StrFormat(*format, value.get<double>());
      }
      break;
    case 'v':
    case 's':
    case 'q':
    case 't':
      if (const auto format = ParsedFormat<'s'>::New(absl::StrCat("%", flags, "s"))) {
        const std::string text = TemplateText(value);
        return absl::StrFormat(*format, verb == 'q' ? GoQuote(text) : text);
      }
      break;
    default:
      break;
  }
  return absl::StrCat("%!", std::string(1, verb), "(", TemplateText(value), ")");
}

Result Printf(const Arguments& arguments) {
  if (arguments.empty() || !arguments[0].is_string()) return Bad("printf wants a format");
  const auto& format = arguments[0].get_ref<const std::string&>();
  std::string text;
  size_t next = 1;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    const size_t verb = format.find_first_not_of("+-# 0123456789.", i + 1);
    if (verb == std::string::npos) return Bad("printf: the format ends after %");
    if (format[verb] == '%') {
      text += '%';
    } else if (next < arguments.size()) {
      text += FormatOne(format.substr(i + 1, verb - i - 1), format[verb], arguments[next++]);
    } else {
      absl::StrAppend(&text, "%!", std::string(1, format[verb]), "(MISSING)");
    }
    i = verb;
  }
  return text;
}

Result Join(const Arguments& arguments) {
  if (auto status = CheckCount("join", arguments, 2); !status.ok()) return status;
  if (!arguments[0].is_array()) return Bad("join wants a list");
  std::vector<std::string> texts;
  for (const json& element : arguments[0]) texts.push_back(TemplateText(element));
  return absl::StrJoin(texts, TemplateText(arguments[1]));
}

Result Split(const Arguments& arguments) {
  if (auto status = CheckCount("split", arguments, 2); !status.ok()) return status;
  const std::vector<std::string> parts =
      absl::StrSplit(TemplateText(arguments[0]), TemplateText(arguments[1]));
  return json(parts);
}

Result Lower(const Arguments& arguments) {
  if (auto status = CheckCount("lower", arguments, 1); !status.ok()) return status;
  return absl::AsciiStrToLower(TemplateText(arguments[0]));
}

Result Upper(const Arguments& arguments) {
  if (auto status = CheckCount("upper", arguments, 1); !status.ok()) return status;
  return absl::AsciiStrToUpper(TemplateText(arguments[0]));
}

Result Title(const Arguments& arguments) {
  if (auto status = CheckCount("title", arguments, 1); !status.ok()) return status;
  std::string text = TemplateText(arguments[0]);
  bool begins = true;
  for (char& c : text) {
    if (begins) c = absl::ascii_toupper(static_cast<unsigned char>(c));
    begins = absl::ascii_isspace(static_cast<unsigned char>(c));
  }
  return text;
}

// `pad text before after`: blanks around a text that is not empty.
Result Pad(const Arguments& arguments) {
  if (auto status = CheckCount("pad", arguments, 3); !status.ok()) return status;
  if (!arguments[1].is_number_integer() || !arguments[2].is_number_integer()) {
    return Bad("pad wants two numbers");
  }
  const std::string text = TemplateText(arguments[0]);
  if (text.empty()) return text;
  const auto blanks = [](const json& count) {
    const int64_t wanted = count.get<int64_t>();
    return std::string(static_cast<size_t>(std::clamp<int64_t>(wanted, 0, kMaxPadding)), ' ');
  };
  return absl::StrCat(blanks(arguments[1]), text, blanks(arguments[2]));
}

// Where the character of UTF-8 that begins after `count` others starts.
size_t OffsetOf(const std::string& text, int64_t count) {
  size_t offset = 0;
  while (offset < text.size() && count > 0) {
    ++offset;
    while (offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xC0) == 0x80) {
      ++offset;
    }
    --count;
  }
  return offset;
}

// `truncate text length`, in characters.
Result Truncate(const Arguments& arguments) {
  if (auto status = CheckCount("truncate", arguments, 2); !status.ok()) return status;
  if (!arguments[1].is_number_integer()) return Bad("truncate wants a number");
  const std::string text = TemplateText(arguments[0]);
  return text.substr(0, OffsetOf(text, arguments[1].get<int64_t>()));
}

// `slice x from to` is x[from:to], bytes of a text or elements of a list.
Result Slice(const Arguments& arguments) {
  if (arguments.empty() || arguments.size() > 3) return Bad("slice wants one to three arguments");
  const json& value = arguments[0];
  if (!value.is_string() && !value.is_array()) {
    return Bad(absl::StrCat("can't slice item of type ", value.type_name()));
  }
  const auto size = static_cast<int64_t>(
      value.is_string() ? value.get_ref<const std::string&>().size() : value.size());
  int64_t bounds[] = {0, size};
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (!arguments[i].is_number_integer()) return Bad("cannot index slice with a text");
    bounds[i - 1] = arguments[i].get<int64_t>();
    if (bounds[i - 1] < 0 || bounds[i - 1] > size) {
      return Bad(absl::StrCat("index out of range: ", bounds[i - 1]));
    }
  }
  if (bounds[0] > bounds[1]) {
    return Bad(absl::StrCat("invalid slice index: ", bounds[0], " > ", bounds[1]));
  }
  if (value.is_string()) {
    return value.get_ref<const std::string&>().substr(static_cast<size_t>(bounds[0]),
                                                      static_cast<size_t>(bounds[1] - bounds[0]));
  }
  return json(std::vector<json>(value.begin() + bounds[0], value.begin() + bounds[1]));
}

Result Html(const Arguments& arguments) {
  DM_ASSIGN_OR_RETURN(const json text, Print(arguments));
  return absl::StrReplaceAll(
      text.get_ref<const std::string&>(),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&#34;"}, {"'", "&#39;"}});
}

Result Js(const Arguments& arguments) {
  DM_ASSIGN_OR_RETURN(const json text, Print(arguments));
  std::string escaped;
  for (const char c : text.get_ref<const std::string&>()) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'' || c == '"') {
      absl::StrAppend(&escaped, "\\", std::string(1, c));
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&' || c == '=') {
      absl::StrAppendFormat(&escaped, "\\u%04X", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

Result UrlQuery(const Arguments& arguments) {
  DM_ASSIGN_OR_RETURN(const json text, Print(arguments));
  std::string escaped;
  for (const char c : text.get_ref<const std::string&>()) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || absl::StrContains("-_.~", c)) {
      escaped += c;
    } else if (c == ' ') {
      escaped += '+';
    } else {
      absl::StrAppendFormat(&escaped, "%%%02X", byte);
    }
  }
  return escaped;
}

struct NamedFunction {
  absl::string_view name;
  Function function;
};

constexpr NamedFunction kFunctions[] = {
    {"json", Json},
    {"prettyjson", PrettyJson},
    {"and", And},
    {"or", Or},
    {"not", Not},
    {"eq", Eq},
    {"ne", Ne},
    {"lt", [](const Arguments& a) { return Ordered(a, std::less<>()); }},
    {"le", [](const Arguments& a) { return Ordered(a, std::less_equal<>()); }},
    {"gt", [](const Arguments& a) { return Ordered(a, std::greater<>()); }},
    {"ge", [](const Arguments& a) { return Ordered(a, std::greater_equal<>()); }},
    {"len", Len},
    {"index", Index},
    {"print", Print},
    {"println", Println},
    {"printf", Printf},
    {"join", Join},
    {"split", Split},
    {"lower", Lower},
    {"upper", Upper},
    {"title", Title},
    {"pad", Pad},
    {"truncate", Truncate},
    {"slice", Slice},
    {"html", Html},
    {"js", Js},
    {"urlquery", UrlQuery},
};

}  // namespace

bool IsTemplateFunction(absl::string_view name) {
  for (const NamedFunction& candidate : kFunctions) {
    if (candidate.name == name) return true;
  }
  return false;
}

absl::StatusOr<json> CallTemplateFunction(absl::string_view name, const Arguments& arguments) {
  for (const NamedFunction& candidate : kFunctions) {
    if (candidate.name == name) return candidate.function(arguments);
  }
  return Bad(absl::StrCat("function \"", name, "\" not defined"));
}

bool IsTemplateTrue(const json& value) {
  switch (value.type()) {
    case json::value_t::boolean:
      return value.get<bool>();
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return value.get<double>() != 0;
    case json::value_t::string:
      return !value.get_ref<const std::string&>().empty();
    case json::value_t::array:
    case json::value_t::object:
      return !value.empty();
    default:
      return false;
  }
}

std::string TemplateText(const json& value) {
  std::vector<std::string> parts;
  switch (value.type()) {
    case json::value_t::string:
      return value.get<std::string>();
    case json::value_t::array:
      for (const json& element : value) parts.push_back(TemplateText(element));
      return absl::StrCat("[", absl::StrJoin(parts, " "), "]");
    case json::value_t::object:
      for (const auto& [key, element] : value.items()) {
        parts.push_back(absl::StrCat(key, ":", TemplateText(element)));
      }
      return absl::StrCat("map[", absl::StrJoin(parts, " "), "]");
    case json::value_t::null:
    case json::value_t::discarded:
      return "<no value>";
    default:
      return value.dump();
  }
}

}  // namespace machine::cli::internal
