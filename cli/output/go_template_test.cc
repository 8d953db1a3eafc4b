#include "cli/output/go_template.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

using nlohmann::json;

json Data() {
  return json::parse(R"({
    "Name": "dev", "Empty": "", "Port": 2376, "Ratio": 0.5, "On": true, "Off": false, "Nil": null,
    "Driver": {"IPAddress": "192.0.2.7", "SSHPort": 22},
    "List": ["a", "b", "c"], "None": []
  })");
}

struct Case {
  absl::string_view label, text, want;
};
class GoTemplateTest : public testing::TestWithParam<Case> {};
TEST_P(GoTemplateTest, Prints) {
  const auto parsed = GoTemplate::Parse(GetParam().text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto text = parsed->Execute(Data());
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, GoTemplateTest,
    testing::ValuesIn<Case>({
        {"PlainText", "a } b", "a } b"},
        {"Field", "{{.Name}}", "dev"},
        {"NestedField", "{{ .Driver.IPAddress }}:{{.Driver.SSHPort}}", "192.0.2.7:22"},
        {"MissingField", "{{.Bogus}}", "<no value>"},
        {"Null", "{{.Nil}}", "<no value>"},
        {"List", "{{.List}}", "[a b c]"},
        {"Map", "{{.Driver}}", "map[IPAddress:192.0.2.7 SSHPort:22]"},
        {"Bools", "{{.On}} {{.Off}}", "true false"},
        {"Json", "{{json .Driver}}", R"({"IPAddress":"192.0.2.7","SSHPort":22})"},
        {"PrettyJson", "{{prettyjson .Driver}}",
         "{\n    \"IPAddress\": \"192.0.2.7\",\n    \"SSHPort\": 22\n}"},
        {"Pipeline", "{{.Driver | json}}", R"({"IPAddress":"192.0.2.7","SSHPort":22})"},
        {"LongPipeline", "{{.Name | upper | printf \"%s-%s\" \"x\"}}", "x-DEV"},
        {"Parentheses", "{{(index .List 1) | upper}}", "B"},
        {"FieldOfParentheses", "{{(index . \"Driver\").SSHPort}}", "22"},
        {"If", "{{if .On}}y{{end}}{{if .Off}}n{{end}}", "y"},
        {"IfElse", "{{if .Empty}}y{{else}}n{{end}}", "n"},
        {"ElseIf", "{{if .Off}}1{{else if .On}}2{{else}}3{{end}}!", "2!"},
        {"EmptyListIsFalse", "{{if .None}}y{{else}}n{{end}}", "n"},
        {"Eq", "{{if eq .Name \"dev\"}}y{{end}}", "y"},
        {"EqAnyOf", "{{eq .Name \"x\" \"dev\"}}", "true"},
        {"Compare", "{{lt .Port 3000}} {{ge .Port 2376}} {{ne .Port 1}}", "true true true"},
        {"Logic", "{{and .On .Name}} {{or .Empty \"x\"}} {{not .On}}", "dev x false"},
        {"Range", "{{range .List}}<{{.}}>{{end}}", "<a><b><c>"},
        {"RangeWithIndex", "{{range $i, $v := .List}}{{$i}}{{$v}}{{end}}", "0a1b2c"},
        {"RangeOverMap", "{{range $k, $v := .Driver}}{{$k}}={{$v}};{{end}}",
         "IPAddress=192.0.2.7;SSHPort=22;"},
        {"RangeElse", "{{range .None}}x{{else}}none{{end}}", "none"},
        {"RootInRange", "{{range .List}}{{$.Name}}{{end}}", "devdevdev"},
        {"With", "{{with .Driver}}{{.SSHPort}}{{end}}", "22"},
        {"Variable", "{{$n := .Name}}{{$n}}{{$n}}", "devdev"},
        {"Assignment", "{{$n := \"a\"}}{{if .On}}{{$n = \"b\"}}{{end}}{{$n}}", "b"},
        {"AssignmentInRange",
         "{{$last := \"\"}}{{range $i, $v := .List}}{{if gt $i 0}}, {{end}}{{$v}}{{$last = $v}}"
         "{{end}}; {{$last}}",
         "a, b, c; c"},
        {"DeclarationEndsWithItsBlock", "{{$n := 1}}{{if .On}}{{$n := 2}}{{$n}}{{end}}{{$n}}",
         "21"},
        {"Len", "{{len .List}} {{len .Name}}", "3 3"},
        {"Index", "{{index .List 2}}", "c"},
        {"Printf", "{{printf \"%5d|%-5s|%q|%v|%%\" .Port .Name .Name .List}}",
         " 2376|dev  |\"dev\"|[a b c]|%"},
        {"PrintfFloat", "{{printf \"%.2f\" .Ratio}}", "0.50"},
        {"PrintfBases", "{{printf \"%x %X %o %04d %e\" 255 255 8 7 .Ratio}}",
         "ff FF 10 0007 5.000000e-01"},
        {"Join", "{{join .List \",\"}}", "a,b,c"},
        {"Split", "{{index (split \"a,b\" \",\") 1}}", "b"},
        {"Title", "{{title \"on the air\"}}", "On The Air"},
        {"Pad", "{{pad .Name 1 2}}|{{pad .Empty 1 2}}|", " dev  ||"},
        {"TruncateCountsCharacters", "{{truncate \"häuser\" 2}} {{truncate .Name 9}}", "hä dev"},
        {"Slice", "{{slice .Name 1}} {{slice .Name 0 2}} {{slice .List 1 3}}", "ev de [b c]"},
        {"Html", "{{html \"<a href='x'>&\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;"},
        {"Js", "{{js \"it's <b>\"}}", "it\\'s \\u003Cb\\u003E"},
        {"UrlQuery", "{{urlquery \"a b&c=d\"}}", "a+b%26c%3Dd"},
        {"RawString", "{{`a\"b`}}", "a\"b"},
        {"BracesInString", "{{\"}}\"}}", "}}"},
        {"Escapes", "{{\"a\\tb\"}}", "a\tb"},
        {"Comment", "a{{/* no */}}b", "ab"},
        {"CommentWithAQuote", "a{{/* don't \"}} */}}b {{- /* ` */ -}} c", "abc"},
        {"Trim", "a {{- .Name -}} b", "adevb"},
        {"NegativeNumber", "{{-1}}", "-1"},
        {"Dot", "{{with .Name}}{{.}}{{end}}", "dev"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(GoTemplateStructTest, AFieldThatItLacksIsAnError) {
  const auto good = GoTemplate::Parse("{{.Name}} {{.Nil}}")->ExecuteOnStruct(Data());
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(*good, "dev <no value>");
  const auto bad = GoTemplate::Parse("{{.Bogus}}")->ExecuteOnStruct(Data());
  EXPECT_EQ(bad.status().message(), "can't evaluate field Bogus");
}

struct BadCase {
  absl::string_view label, text, message;
};
class BadTemplateTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadTemplateTest, SaysWhatIsWrong) {
  auto parsed = GoTemplate::Parse(GetParam().text);
  absl::Status status = parsed.status();
  if (parsed.ok()) status = parsed->Execute(Data()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, BadTemplateTest,
    testing::ValuesIn<BadCase>({
        {"Unclosed", "{{.Name", "unclosed action"},
        {"UnknownFunction", "{{bogus .Name}}", "function \"bogus\" not defined"},
        {"MissingEnd", "{{if .On}}x", "unexpected EOF: {{end}} is missing"},
        {"LoneEnd", "x{{end}}", "unexpected {{end}}"},
        {"Empty", "{{}}", "missing value for command"},
        {"FieldOfText", "{{.Name.X}}", "can't evaluate field X in type string"},
        {"UnknownVariable", "{{$x}}", "undefined variable \"$x\""},
        {"AssignmentToNothing", "{{$x = 1}}", "undefined variable \"$x\""},
        {"OutOfRange", "{{index .List 3}}", "index out of range: 3"},
        {"ArgumentOfField", "{{.Name 1}}", "can't give argument to non-function"},
        {"RangeOverText", "{{range .Name}}{{end}}", "range can't iterate over dev"},
        {"UnclosedParenthesis", "{{(len .List}}", "unclosed left paren"},
        {"BadString", "{{\"a}}", "unclosed action"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::cli
