// A host with the fake Hyper-V, for tests.
#ifndef TESTS_FAKES_HYPERV_FAKE_HYPERV_HOST_H_
#define TESTS_FAKES_HYPERV_FAKE_HYPERV_HOST_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::fakes {

/// Puts the fake first in this process's PATH, where the programs that it starts find it, too. One
/// at a time in a process.
class FakeHypervHost {
 public:
  FakeHypervHost();
  ~FakeHypervHost();

  FakeHypervHost(const FakeHypervHost&) = delete;
  FakeHypervHost& operator=(const FakeHypervHost&) = delete;

  /// A folder of the test's own.
  std::string Path(absl::string_view leaf) const;
  /// An image of 1024 MiB in format VHDX, on the Windows host.
  static std::string image() { return "C:\\images\\image.vhdx"; }

  /// What the fake knows, see main.cc.
  nlohmann::ordered_json State() const;
  void Change(const std::function<void(nlohmann::ordered_json&)>& change) const;
  /// Sets an order.
  template <typename T>
  void Order(const char* name, T value) const {
    Change([&](nlohmann::ordered_json& state) { state["orders"][name] = value; });
  }
  /// How often a script has run.
  int Runs(absl::string_view script) const;

 private:
  std::string folder_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_HYPERV_FAKE_HYPERV_HOST_H_
