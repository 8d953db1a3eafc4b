#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/output/go_template_tree.h"
#include "services/common/status/status.h"

namespace machine::cli::internal {
namespace {

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

bool IsWordCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// What stands between "{{" and "}}", read word by word.
class ActionReader {
 public:
  explicit ActionReader(absl::string_view text) : rest_(text) { SkipBlanks(); }

  bool done() const { return rest_.empty(); }
  bool StartsWith(absl::string_view text) const { return absl::StartsWith(rest_, text); }

  bool Consume(absl::string_view text) {
    if (!absl::ConsumePrefix(&rest_, text)) return false;
    SkipBlanks();
    return true;
  }

  // Consumes `keyword` when it stands as a word of its own.
  bool ConsumeKeyword(absl::string_view keyword) {
    if (!absl::StartsWith(rest_, keyword)) return false;
    if (rest_.size() > keyword.size() && IsWordCharacter(rest_[keyword.size()])) return false;
    return Consume(keyword);
  }

  absl::StatusOr<TemplatePipeline> Pipeline() {
    if (++depth_ > kMaxDepth) return Bad("too many parentheses");
    TemplatePipeline pipeline;
    DM_RETURN_IF_ERROR(Declarations(pipeline));
    do {
      std::vector<TemplateOperand> command;
      while (!done() && !StartsWith("|") && !StartsWith(")")) {
        DM_ASSIGN_OR_RETURN(TemplateOperand operand, Operand());
        command.push_back(std::move(operand));
      }
      if (command.empty()) return Bad("missing value for command");
      pipeline.commands.push_back(std::move(command));
    } while (Consume("|"));
    --depth_;
    return pipeline;
  }

  absl::Status ExpectEnd() const {
    if (done()) return absl::OkStatus();
    return Bad(absl::StrCat("unexpected \"", rest_, "\" in command"));
  }

 private:
  static constexpr int kMaxDepth = 100;

  void SkipBlanks() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  std::string Word() {
    size_t size = 0;
    while (size < rest_.size() && IsWordCharacter(rest_[size])) ++size;
    std::string word(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return word;
  }

  // `$a :=`, `$a =` or `$i, $v :=`.
  absl::Status Declarations(TemplatePipeline& pipeline) {
    if (!StartsWith("$")) return absl::OkStatus();
    const absl::string_view before = rest_;
    std::vector<std::string> names;
    do {
      if (!absl::ConsumePrefix(&rest_, "$")) return Bad("a variable must follow the comma");
      names.push_back(Word());
      SkipBlanks();
    } while (Consume(","));
    pipeline.assigns = StartsWith("=");
    if (Consume(":=") || Consume("=")) {
      pipeline.variables = std::move(names);
      return absl::OkStatus();
    }
    if (names.size() > 1) return Bad("\":=\" must follow two variables");
    rest_ = before;
    return absl::OkStatus();
  }

  absl::Status Path(TemplateOperand& operand) {
    while (absl::ConsumePrefix(&rest_, ".")) {
      std::string field = Word();
      if (field.empty()) return Bad("a field name must follow the dot");
      operand.path.push_back(std::move(field));
    }
    SkipBlanks();
    return absl::OkStatus();
  }

  absl::StatusOr<TemplateOperand> Operand() {
    TemplateOperand operand;
    if (rest_[0] == '"') return Quoted();
    if (rest_[0] == '`') return Raw();
    if (absl::ConsumePrefix(&rest_, "(")) {
      SkipBlanks();
      DM_ASSIGN_OR_RETURN(TemplatePipeline inner, Pipeline());
      if (!absl::ConsumePrefix(&rest_, ")")) return Bad("unclosed left paren");
      operand.kind = TemplateOperand::Kind::kPipeline;
      operand.pipeline = std::make_shared<const TemplatePipeline>(std::move(inner));
      DM_RETURN_IF_ERROR(Path(operand));
      return operand;
    }
    if (absl::ConsumePrefix(&rest_, "$")) {
      operand.kind = TemplateOperand::Kind::kVariable;
      operand.name = Word();
      DM_RETURN_IF_ERROR(Path(operand));
      return operand;
    }
    if (rest_[0] == '.') {
      operand.kind = TemplateOperand::Kind::kDot;
      if (rest_.size() > 1 && IsWordCharacter(rest_[1])) {
        DM_RETURN_IF_ERROR(Path(operand));
      } else {
        Consume(".");
      }
      return operand;
    }
    if (absl::ascii_isdigit(rest_[0]) || rest_[0] == '-' || rest_[0] == '+') return Number();
    return Name();
  }

  absl::StatusOr<TemplateOperand> Quoted() {
    size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return Bad("unterminated quoted string");
    std::string text;
    if (!absl::CUnescape(rest_.substr(1, end - 1), &text)) return Bad("bad escape in a string");
    rest_.remove_prefix(end + 1);
    SkipBlanks();
    TemplateOperand operand;
    operand.literal = text;
    return operand;
  }

  absl::StatusOr<TemplateOperand> Raw() {
    const size_t end = rest_.find('`', 1);
    if (end == absl::string_view::npos) return Bad("unterminated raw quoted string");
    TemplateOperand operand;
    operand.literal = std::string(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    SkipBlanks();
    return operand;
  }

  absl::StatusOr<TemplateOperand> Number() {
    size_t size = 1;
    while (size < rest_.size() && (IsWordCharacter(rest_[size]) || rest_[size] == '.')) ++size;
    const absl::string_view text = rest_.substr(0, size);
    TemplateOperand operand;
    int64_t whole = 0;
    double real = 0;
    if (absl::SimpleAtoi(text, &whole)) {
      operand.literal = whole;
    } else if (absl::SimpleAtod(text, &real)) {
      operand.literal = real;
    } else {
      return Bad(absl::StrCat("bad number syntax: \"", text, "\""));
    }
    rest_.remove_prefix(size);
    SkipBlanks();
    return operand;
  }

  absl::StatusOr<TemplateOperand> Name() {
    const std::string word = Word();
    if (word.empty()) {
      return Bad(absl::StrCat("unexpected \"", rest_.substr(0, 1), "\" in command"));
    }
    SkipBlanks();
    TemplateOperand operand;
    if (word == "true" || word == "false") {
      operand.literal = word == "true";
    } else if (word != "nil") {
      if (!IsTemplateFunction(word))
        return Bad(absl::StrCat("function \"", word, "\" not defined"));
      operand.kind = TemplateOperand::Kind::kFunction;
      operand.name = word;
    }
    return operand;
  }

  absl::string_view rest_;
  int depth_ = 0;
};

// Splits a template into text and actions, and nests the blocks.
class TemplateParser {
 public:
  explicit TemplateParser(absl::string_view text) : rest_(text) {}

  absl::StatusOr<TemplateBlock> Parse() {
    DM_ASSIGN_OR_RETURN(TemplateBlock block, Block(/*depth=*/0));
    if (!stopped_at_.empty()) return Bad(absl::StrCat("unexpected {{", stopped_at_, "}}"));
    return block;
  }

 private:
  static constexpr int kMaxDepth = 100;

  // Reads up to {{end}} or {{else …}}, which is then in stopped_at_, or to the end.
  absl::StatusOr<TemplateBlock> Block(int depth) {
    if (depth > kMaxDepth) return Bad("blocks are nested too deeply");
    TemplateBlock block;
    stopped_at_.clear();
    while (!rest_.empty()) {
      const size_t open = rest_.find("{{");
      std::string text(rest_.substr(0, open));
      rest_.remove_prefix(open == absl::string_view::npos ? rest_.size() : open);
      if (trim_next_) text = std::string(absl::StripLeadingAsciiWhitespace(text));
      trim_next_ = false;
      if (rest_.empty()) {
        AddText(block, std::move(text));
        break;
      }
      bool trim_before = false;
      DM_ASSIGN_OR_RETURN(const absl::string_view action, NextAction(trim_before));
      if (trim_before) text = std::string(absl::StripTrailingAsciiWhitespace(text));
      AddText(block, std::move(text));
      if (absl::StartsWith(action, "/*")) continue;
      if (IsWord(action, "end") || IsWord(action, "else")) {
        stopped_at_ = std::string(action);
        return block;
      }
      DM_ASSIGN_OR_RETURN(TemplateNode node, Action(action, depth));
      block.nodes.push_back(std::move(node));
    }
    return block;
  }

  static bool IsWord(absl::string_view action, absl::string_view word) {
    return absl::StartsWith(action, word) &&
           (action.size() == word.size() || !IsWordCharacter(action[word.size()]));
  }

  static void AddText(TemplateBlock& block, std::string text) {
    if (text.empty()) return;
    TemplateNode node;
    node.text = std::move(text);
    block.nodes.push_back(std::move(node));
  }

  absl::StatusOr<absl::string_view> NextAction(bool& trim_before) {
    rest_.remove_prefix(2);
    if (rest_.size() > 1 && rest_[0] == '-' && absl::ascii_isspace(rest_[1])) {
      trim_before = true;
      rest_.remove_prefix(1);
    }
    const size_t close = CloseOf(rest_);
    if (close == absl::string_view::npos) return Bad("unclosed action");
    absl::string_view action = rest_.substr(0, close);
    rest_.remove_prefix(close + 2);
    if (action.size() > 1 && action.back() == '-' &&
        absl::ascii_isspace(action[action.size() - 2])) {
      trim_next_ = true;
      action.remove_suffix(1);
    }
    return absl::StripAsciiWhitespace(action);
  }

  // Where "}}" stands outside of quotes and comments.
  static size_t CloseOf(absl::string_view text) {
    char quote = 0;
    const size_t begin = text.find_first_not_of(" \t\r\n");
    const bool comment = absl::StartsWith(text.substr(std::min(begin, text.size())), "/*");
    const size_t comment_end = comment ? text.find("*/", begin + 2) : 0;
    for (size_t i = comment_end; i < text.size(); ++i) {
      if (quote != 0) {
        if (quote == '"' && text[i] == '\\') {
          ++i;
        } else if (text[i] == quote) {
          quote = 0;
        }
      } else if (text[i] == '"' || text[i] == '`') {
        quote = text[i];
      } else if (absl::StartsWith(text.substr(i), "}}")) {
        return i;
      }
    }
    return absl::string_view::npos;
  }

  absl::StatusOr<TemplateNode> Action(absl::string_view action, int depth) {
    ActionReader reader(action);
    TemplateNode node;
    if (reader.ConsumeKeyword("if")) {
      node.kind = TemplateNode::Kind::kIf;
    } else if (reader.ConsumeKeyword("range")) {
      node.kind = TemplateNode::Kind::kRange;
    } else if (reader.ConsumeKeyword("with")) {
      node.kind = TemplateNode::Kind::kWith;
    } else {
      node.kind = TemplateNode::Kind::kAction;
    }
    DM_ASSIGN_OR_RETURN(node.pipeline, reader.Pipeline());
    DM_RETURN_IF_ERROR(reader.ExpectEnd());
    if (node.pipeline.variables.size() > 1 && node.kind != TemplateNode::Kind::kRange) {
      return Bad("too many declarations in command");
    }
    if (node.kind == TemplateNode::Kind::kAction) return node;

    DM_ASSIGN_OR_RETURN(node.body, Block(depth + 1));
    if (IsWord(stopped_at_, "else")) {
      const std::string rest(absl::StripAsciiWhitespace(absl::StripPrefix(stopped_at_, "else")));
      if (rest.empty()) {
        DM_ASSIGN_OR_RETURN(node.otherwise, Block(depth + 1));
      } else {  // {{else if …}} is a block of its own that shares the {{end}}.
        DM_ASSIGN_OR_RETURN(TemplateNode nested, Action(rest, depth + 1));
        if (nested.kind == TemplateNode::Kind::kAction) return Bad("unexpected text after else");
        node.otherwise.nodes.push_back(std::move(nested));
        return node;
      }
    }
    if (stopped_at_ != "end") return Bad("unexpected EOF: {{end}} is missing");
    stopped_at_.clear();
    return node;
  }

  absl::string_view rest_;
  bool trim_next_ = false;
  std::string stopped_at_;
};

}  // namespace

absl::StatusOr<TemplateBlock> ParseTemplate(absl::string_view text) {
  return TemplateParser(text).Parse();
}

}  // namespace machine::cli::internal
