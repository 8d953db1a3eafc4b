// What VBoxManage prints, read. Lines that are none of its own, such as warnings of the program
// that starts it, are passed over.
#ifndef DRIVERS_VIRTUALBOX_OUTPUTS_H_
#define DRIVERS_VIRTUALBOX_OUTPUTS_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::virtualbox {

struct Version {
  int major = 0;
  int minor = 0;

  bool AtLeast(int other_major, int other_minor) const {
    return major != other_major ? major > other_major : minor >= other_minor;
  }
};

/// Of "7.2.0r170228" or "6.1.50_Ubuntur161033". Errors: FAILED_PRECONDITION with the text.
absl::StatusOr<Version> ParseVersion(absl::string_view text);

using Fields = std::map<std::string, std::string>;

/// The value of `key`; empty where there is none.
const std::string& FieldOf(const Fields& fields, absl::string_view key);

/// Lines key="value", "key"="value" and key=value, as showvminfo --machinereadable prints them. In
/// a quoted value \" and \\ stand for one character each, as newer versions write them; it may
/// have several lines. Of a key that comes twice, the first counts.
Fields ParseMachineReadable(absl::string_view text);

/// Groups of lines "Key:   value" with blank lines between them, as the lists have them. Lines
/// that begin with a blank belong to something within a group and are left out.
std::vector<Fields> ParseGroups(absl::string_view text);

struct ListedVm {
  std::string name;
  /// Without braces, lower case.
  std::string uuid;
};

/// Lines "name" {uuid}.
std::vector<ListedVm> ParseVmList(absl::string_view text);

/// The number that follows each `word` in `text`, such as "host port = ".
std::set<int> NumbersAfter(absl::string_view text, absl::string_view word);

/// The text after "Value: " of getextradata and guestproperty; empty for "No value set!".
std::string ParseValue(absl::string_view text);

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_OUTPUTS_H_
