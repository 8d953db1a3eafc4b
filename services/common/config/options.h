// Options of a service from its configuration file, its environment and its command line, by one
// table. A key of the file is the name of the flag; the variable is the flag in capitals.
//
//   constexpr OptionSpec kOptions[] = {{.name = "listen", .value = "HOST:PORT", .help = "…"}};
//   const OptionSources sources({"machine-orchestrator", "MACHINE_ORCHESTRATOR_", kOptions},
//   words); DM_ASSIGN_OR_RETURN(const std::vector<Option> options, sources.Read());
#ifndef SERVICES_COMMON_CONFIG_OPTIONS_H_
#define SERVICES_COMMON_CONFIG_OPTIONS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace machine::common {

/// One option.
struct OptionSpec {
  /// "log-level": a key of the file, and `--log-level` of the command line.
  absl::string_view name;
  /// What its value is, for the help; empty for one that is on or off.
  absl::string_view value;
  /// Other name of its variable; empty for that of the table's prefix.
  absl::string_view variable;
  /// May be given several times; a list in the file, separated by commas in the variable.
  bool repeated = false;
  /// A running process takes a change of it on SIGHUP.
  bool live = false;
  /// The value that the sample shows, in YAML.
  absl::string_view sample;
  /// Sentences without the end of the last one, and without line breaks.
  absl::string_view help;
};

/// All options of a program. `--config FILE`, `--check-config`, `--sample-config`, `--help` and
/// `--version` are there without being listed.
struct OptionTable {
  absl::string_view program;
  /// Of variables: "MACHINE_ORCHESTRATOR_".
  absl::string_view prefix;
  absl::Span<const OptionSpec> options;
};

enum class OptionSource { kFile, kVariable, kCommandLine };

/// An option that was given.
struct Option {
  const OptionSpec* spec;
  /// "true" or "false" for one without a value.
  std::string value;
  OptionSource source;
  /// "--listen", "$MACHINE_ORCHESTRATOR_LISTEN" or "listen in /etc/…": for messages.
  std::string where;
};

/// Where options come from. Variables are taken when this is made; the file is read each time.
class OptionSources {
 public:
  /// `words`: the command line without the program. `table` and what it names outlive this.
  OptionSources(const OptionTable& table, std::vector<std::string> words);

  /// What was given, of each option only what its strongest source says: the file is the weakest,
  /// the command line the strongest; in that order. INVALID_ARGUMENT naming option, variable or
  /// file and what is wrong; a name that does not exist with the nearest one that does.
  absl::StatusOr<std::vector<Option>> Read() const;

  /// The word `--NAME` is on the command line: "help", "version", "check-config", "sample-config".
  bool Asked(absl::string_view name) const;

 private:
  absl::Status ReadFile(const std::string& path, std::vector<Option>& options) const;
  absl::Status ReadWords(std::vector<Option>& options, std::string& file) const;
  const OptionSpec* Find(absl::string_view name) const;
  absl::Status Unknown(absl::string_view what, absl::string_view name) const;

  const OptionTable table_;
  const std::vector<std::string> words_;
  std::vector<std::pair<const OptionSpec*, std::string>> variables_;
  std::string file_variable_;
};

/// The name of the variable of `option`.
std::string VariableOf(const OptionTable& table, const OptionSpec& option);

/// The options as --help shows them, each with its variable.
std::string OptionHelp(const OptionTable& table);

/// A configuration file in which every option stands with what it means, all commented out.
std::string SampleFile(const OptionTable& table);

/// Which options have other values in `after` than in `before`; each once.
std::vector<const OptionSpec*> Changed(const std::vector<Option>& before,
                                       const std::vector<Option>& after);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CONFIG_OPTIONS_H_
