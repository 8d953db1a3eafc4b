// The PowerShell that the driver runs. Each is a constant: what differs from call to call comes as
// the JSON object $a, by standard input.
#ifndef DRIVERS_HYPER_V_SCRIPTS_H_
#define DRIVERS_HYPER_V_SCRIPTS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace machine::driver::hyperv {

/// About the host: whether Hyper-V is there and may be used, its memory, CPUs and switches.
extern const char kFactsScript[];
/// What is below a folder: each machine with its name, state, addresses.
extern const char kLookScript[];
/// Whether a machine of this name is elsewhere.
extern const char kNamesScript[];
/// Makes a folder and writes a file.
extern const char kWriteScript[];
/// Size of a file, and its first bytes; -1 for none.
extern const char kStatScript[];
/// One turn of a download by curl.exe, alone on the file; done when the whole is there already.
extern const char kFetchScript[];
/// Text of a small file at a URL.
extern const char kTextScript[];
/// Digest of a file, alone on it.
extern const char kDigestScript[];
/// Gives a file another name, alone on it; without one, deletes it.
extern const char kMoveScript[];
/// Makes a VHDX of an image, with another size.
extern const char kDiskScript[];
/// Makes what is missing of a machine.
extern const char kMakeScript[];
/// Has a machine run.
extern const char kStartScript[];
/// Asks the guest to shut down.
extern const char kStopScript[];
/// Turns it off; drops memory that is on disk.
extern const char kKillScript[];
/// Removes a machine and its folder.
extern const char kRemoveScript[];

/// All of them, with names for messages.
absl::Span<const std::pair<absl::string_view, const char*>> AllScripts();

/// What PowerShell is given of `script`: it reads $a, and prints one line of JSON, {"ok": true,
/// "value": …} or {"ok": false, "error": words, "id": of the error}.
std::string WholeScript(absl::string_view script);

/// As -EncodedCommand takes it: UTF-16LE in base64. `text` is ASCII.
std::string EncodedCommand(absl::string_view text);

/// The reverse. Errors: INVALID_ARGUMENT.
absl::StatusOr<std::string> DecodeCommand(absl::string_view encoded);

}  // namespace machine::driver::hyperv

#endif  // DRIVERS_HYPER_V_SCRIPTS_H_
