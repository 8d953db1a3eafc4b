// A disk that is soon full, for tests.
#ifndef SERVICES_COMMON_FILE_SMALL_DISK_FOR_TEST_H_
#define SERVICES_COMMON_FILE_SMALL_DISK_FOR_TEST_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// A file system of its own at a folder, seen only by this process and those that it starts: they
/// get a mount namespace. To be made on the only thread of a process.
class SmallDiskForTest final {
 public:
  /// @param folder  exists already.
  SmallDiskForTest(std::string folder, int64_t bytes);
  /// Takes the disk away again, with all that is on it.
  ~SmallDiskForTest();

  SmallDiskForTest(const SmallDiskForTest&) = delete;
  SmallDiskForTest& operator=(const SmallDiskForTest&) = delete;

  /// False where the system allows no mount namespace.
  bool mounted() const { return mounted_; }

  /// Takes all the room that is left, in a file of the disk.
  void Fill() const;
  /// Gives it back.
  void MakeRoom() const;

 private:
  const std::string folder_;
  bool mounted_ = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_FILE_SMALL_DISK_FOR_TEST_H_
