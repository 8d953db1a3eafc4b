// What VMware writes: descriptions of machines and DHCP leases.
#include "drivers/vmwarefusion/leases.h"
#include "drivers/vmwarefusion/vmx.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace vmware = machine::driver::vmwarefusion;
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  vmware::Vmx vmx = vmware::ParseVmx(text);
  vmx.erase(".encoding");
  vmware::Vmx again = vmware::ParseVmx(vmware::WriteVmx(vmx));
  again.erase(".encoding");
  machine::fuzz::Expect(vmx.size() == again.size(), "it does not read its own text");
  const std::string address = vmware::LeasedAddress(text, "00:50:56:01:02:03");
  machine::fuzz::Expect(address.size() <= 15, "no IPv4 address");
  return 0;
}
