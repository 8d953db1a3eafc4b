// The file that describes a virtual machine to VMware.
#ifndef DRIVERS_VMWAREFUSION_VMX_H_
#define DRIVERS_VMWAREFUSION_VMX_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::driver::vmwarefusion {

/// Its lines NAME = "VALUE". VMware reads names without regard to case.
using Vmx = std::map<std::string, std::string>;

/// The file's text; characters that would end a value or a line are written as VMware does, by a
/// bar and two hexadecimal digits.
std::string WriteVmx(const Vmx& vmx);

/// The reverse, also of what VMware has added. Names are in lower case; lines that are no such pair
/// are passed over.
Vmx ParseVmx(absl::string_view text);

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_VMX_H_
