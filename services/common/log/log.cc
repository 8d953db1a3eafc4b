#include "services/common/log/log.h"

#include <google/protobuf/text_format.h>

#include <atomic>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "machine/options/v1/options.pb.h"
#include "services/common/log/level.h"

namespace machine::common {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

// Of the process, once it was set; -1 before that.
std::atomic<int> process_severity = -1;

bool IsSecret(const FieldDescriptor& field) {
  return field.options().GetExtension(machine::options::v1::field).secret();
}

// Length of the UTF-8 sequence that starts at `text[i]`; 0 when it is not one.
size_t Utf8Length(absl::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = byte(i);
  const size_t length = first < 0x80                     ? 1
                        : first >= 0xC2 && first <= 0xDF ? 2
                        : first >= 0xE0 && first <= 0xEF ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  if (length == 0 || i + length > text.size()) return 0;
  for (size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// Calls `visit(message, field)` for each set field marked secret, at any depth.
template <typename MutableMessage, typename Visit>
void VisitSecrets(MutableMessage& message, const Visit& visit) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (IsSecret(*field)) {
      visit(message, *field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->is_repeated()) {
        for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
          VisitSecrets(*reflection.MutableRepeatedMessage(&message, field, i), visit);
        }
      } else {
        VisitSecrets(*reflection.MutableMessage(&message, field), visit);
      }
    }
  }
}

void MaskSecret(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const bool text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  if (!text) {
    reflection.ClearField(&message, &field);
  } else if (field.is_repeated()) {
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      reflection.SetRepeatedString(&message, &field, i, "[secret]");
    }
  } else {
    reflection.SetString(&message, &field, "[secret]");
  }
}

}  // namespace

absl::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "debug";
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

std::optional<Severity> ParseSeverity(absl::string_view name) {
  for (const Severity severity :
       {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError}) {
    if (SeverityName(severity) == name) return severity;
  }
  return std::nullopt;
}

void SetProcessSeverity(Severity least) {
  process_severity.store(static_cast<int>(least), std::memory_order_relaxed);
}

Logger::Logger(Severity least, absl::string_view component, int fd, const Clock& clock)
    : least_(least), component_(component), fd_(fd), clock_(&clock) {}

void Logger::Debug(absl::string_view message, const LogFields& fields) const {
  Write(Severity::kDebug, message, fields);
}
void Logger::Info(absl::string_view message, const LogFields& fields) const {
  Write(Severity::kInfo, message, fields);
}
void Logger::Warning(absl::string_view message, const LogFields& fields) const {
  Write(Severity::kWarning, message, fields);
}
void Logger::Error(absl::string_view message, const LogFields& fields) const {
  Write(Severity::kError, message, fields);
}

void Logger::Write(Severity severity, absl::string_view message, const LogFields& fields) const {
  const int of_process = process_severity.load(std::memory_order_relaxed);
  if (severity < (of_process < 0 ? least_ : static_cast<Severity>(of_process))) return;
  std::string line = absl::StrCat(
      "{\"time\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", clock_->Now(), absl::UTCTimeZone()),
      "\",\"severity\":\"", SeverityName(severity), "\",\"component\":", JsonString(component_));
  for (const auto& [name, value] : fields) {
    absl::StrAppend(&line, ",", JsonString(name), ":", JsonString(value));
  }
  absl::StrAppend(&line, ",\"message\":", JsonString(message), "}\n");
  // One write per line; a log that cannot be written must not stop the work.
  absl::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) rest.remove_prefix(static_cast<size_t>(written));
  }
}

std::string Redacted(const Message& message) {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  VisitSecrets(*copy, MaskSecret);
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetExpandAny(false);
  std::string text;
  printer.PrintToString(*copy, &text);
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

void ClearSecrets(Message& message) {
  VisitSecrets(message, [](Message& owner, const FieldDescriptor& field) {
    owner.GetReflection()->ClearField(&owner, &field);
  });
}

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = Utf8Length(text, i);
    if (length == 0) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.append(text.data() + i, length);
    }
    i += length;
  }
  out += '"';
  return out;
}

}  // namespace machine::common
