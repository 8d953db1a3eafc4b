// A host with the fake VMware, for tests.
#ifndef TESTS_FAKES_VMWARE_FAKE_VMWARE_HOST_H_
#define TESTS_FAKES_VMWARE_FAKE_VMWARE_HOST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::fakes {

/// Puts the fake first in this process's PATH, where the programs that it starts find it, too. One
/// at a time in a process.
class FakeVmwareHost {
 public:
  FakeVmwareHost();
  ~FakeVmwareHost();

  FakeVmwareHost(const FakeVmwareHost&) = delete;
  FakeVmwareHost& operator=(const FakeVmwareHost&) = delete;

  /// A folder of the test's own.
  std::string Path(absl::string_view leaf) const;
  /// An image of 1024 MiB in format VMDK.
  std::string image() const { return Path("image.vmdk"); }

  /// Leaves an order, see main.cc; and takes it back.
  void Order(absl::string_view name) const;
  void Withdraw(absl::string_view name) const;

  /// Lines of one of the fake's files: running, starts.
  std::vector<std::string> Lines(absl::string_view file) const;

 private:
  std::string folder_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VMWARE_FAKE_VMWARE_HOST_H_
