// Flags as the original takes them: `-driver` means `--driver`, a value follows as `=value` or as
// the next argument whatever that looks like, flags stand before or after names, `--` ends them.
#ifndef CLI_ARGS_FLAGS_H_
#define CLI_ARGS_FLAGS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cli/args/environment.h"

namespace machine::cli {

enum class FlagType { kBool, kString, kInt, kList };

/// One flag of a command.
struct Flag {
  /// Without dashes; the first is the one it is asked for by.
  std::vector<std::string> names;
  FlagType type = FlagType::kString;
  std::string usage;
  /// Shown in help, and the value when nothing gives one.
  std::string default_value;
  /// The first that is set gives the value when the flag is absent.
  std::vector<std::string> env_vars;
  /// What a value may be, where that is a list; for completion.
  std::vector<std::string> values = {};
};

/// What was given on a command line.
class ParsedArgs {
 public:
  /// Arguments that are not flags, in order.
  std::vector<std::string> operands;
  /// --help or -h was among the flags.
  bool help = false;

  bool Bool(absl::string_view name) const;
  std::string String(absl::string_view name) const;
  int64_t Int(absl::string_view name) const;
  std::vector<std::string> List(absl::string_view name) const;
  /// Given by a flag or by the environment, as opposed to defaulted.
  bool IsSet(absl::string_view name) const;

 private:
  friend absl::StatusOr<ParsedArgs> ParseArgs(absl::Span<const Flag>, absl::Span<const std::string>,
                                              const Environment&, struct ParseOptions);
  struct Value {
    std::vector<std::string> texts;
    bool set = false;
  };
  const Value* Find(absl::string_view name) const;

  // By the first name of the flag.
  std::map<std::string, Value> values_;
};

struct ParseOptions {
  /// The first operand and all after it are operands, as for the command's own name.
  bool stop_at_operand = false;
};

/// INVALID_ARGUMENT for an unknown flag, a missing value or one of the wrong type.
absl::StatusOr<ParsedArgs> ParseArgs(absl::Span<const Flag> flags,
                                     absl::Span<const std::string> args, const Environment& env,
                                     ParseOptions options = {});

/// The value of the flag with one of `names` among `args` whose other flags are not known yet; ""
/// for one without a value.
std::optional<std::string> PeekFlag(absl::Span<const std::string> args,
                                    absl::Span<const absl::string_view> names);

/// Truth as Go's strconv.ParseBool reads it: 1, t, T, TRUE, true, True and their opposites.
std::optional<bool> ParseGoBool(absl::string_view text);

/// `text` as Go's %q prints it.
std::string GoQuote(absl::string_view text);

}  // namespace machine::cli

#endif  // CLI_ARGS_FLAGS_H_
