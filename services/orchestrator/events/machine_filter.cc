#include "services/orchestrator/events/machine_filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::string_view kLabelPrefix = "labels.";

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

absl::string_view TakeWord(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && IsWordCharacter(text[length])) ++length;
  const absl::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

absl::Status Malformed(absl::string_view expected, absl::string_view rest) {
  return common::InvalidField(
      "filter", absl::StrCat("expected ", expected, " at \"", rest.substr(0, 20), "\""));
}

absl::StatusOr<std::string> TakeValue(absl::string_view& text) {
  if (!absl::ConsumePrefix(&text, "\"")) {
    const absl::string_view word = TakeWord(text);
    if (word.empty()) return Malformed("a value", text);
    return std::string(word);
  }
  std::string value;
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  if (!absl::ConsumePrefix(&text, "\"")) return Malformed("a closing quote", text);
  return value;
}

}  // namespace

std::string StateWord(machine::v1::MachineState state) {
  if (state == machine::v1::MACHINE_STATE_UNSPECIFIED) return "";
  std::string word = absl::AsciiStrToLower(
      absl::StripPrefix(machine::v1::MachineState_Name(state), "MACHINE_STATE_"));
  word[0] = absl::ascii_toupper(static_cast<unsigned char>(word[0]));
  return word;
}

absl::StatusOr<MachineFilter> MachineFilter::Parse(absl::string_view text) {
  MachineFilter filter;
  text = absl::StripAsciiWhitespace(text);
  while (!text.empty()) {
    Term term;
    term.key = std::string(TakeWord(text));
    const bool known =
        term.key == "driver" || term.key == "state" || term.key == "name" ||
        (absl::StartsWith(term.key, kLabelPrefix) && term.key.size() > kLabelPrefix.size());
    if (!known) {
      return common::InvalidField(
          "filter",
          absl::StrCat("unknown key \"", term.key, "\"; keys are driver, state, name, labels.KEY"));
    }
    text = absl::StripLeadingAsciiWhitespace(text);
    term.negated = absl::ConsumePrefix(&text, "!=");
    if (!term.negated && !absl::ConsumePrefix(&text, "=")) return Malformed("= or !=", text);
    text = absl::StripLeadingAsciiWhitespace(text);
    DM_ASSIGN_OR_RETURN(term.value, TakeValue(text));
    if (term.key == "state") {
      term.value = absl::AsciiStrToLower(absl::StripPrefix(term.value, "MACHINE_STATE_"));
    }
    filter.terms_.push_back(std::move(term));
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) break;
    if (TakeWord(text) != "AND") return Malformed("AND", text);
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) return Malformed("a term", text);
  }
  return filter;
}

absl::Status MachineFilter::CheckSelector(absl::string_view text) {
  DM_ASSIGN_OR_RETURN(const MachineFilter filter, Parse(text));
  const bool labels_only =
      std::all_of(filter.terms_.begin(), filter.terms_.end(),
                  [](const Term& term) { return absl::StartsWith(term.key, kLabelPrefix); });
  if (!filter.terms_.empty() && labels_only) return absl::OkStatus();
  return absl::InvalidArgumentError("expected terms over labels, such as labels.team = ci");
}

bool MachineFilter::Fits(const machine::v1::Machine& machine) const {
  if (any_.has_value() &&
      std::none_of(any_->begin(), any_->end(),
                   [&](const MachineFilter& filter) { return filter.Fits(machine); })) {
    return false;
  }
  for (const Term& term : terms_) {
    bool equal = false;
    if (term.key == "driver") {
      equal = machine.driver() == term.value;
    } else if (term.key == "state") {
      equal = absl::AsciiStrToLower(StateWord(machine.state())) == term.value;
    } else if (term.key == "name") {
      equal = absl::StripPrefix(machine.name(), "machines/") == term.value;
    } else {
      const auto label = machine.labels().find(term.key.substr(kLabelPrefix.size()));
      equal = label != machine.labels().end() && label->second == term.value;
    }
    if (equal == term.negated) return false;
  }
  return true;
}

}  // namespace machine::orchestrator
