// qemu-img as the driver uses it, on images that are a line of JSON.
#ifndef TESTS_FAKES_QEMU_FAKE_IMAGE_H_
#define TESTS_FAKES_QEMU_FAKE_IMAGE_H_

#include <string>
#include <vector>

namespace machine::fakes {

/// Runs it with `arguments` (without its own name) and returns its exit status. An image is a file
/// such as {"format":"qcow2","virtual-size":1048576}; a file that is none is in format raw. Refused
/// as by the real one: a base that is missing, unknown options, a missing format.
int RunFakeImage(const std::vector<std::string>& arguments);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_QEMU_FAKE_IMAGE_H_
