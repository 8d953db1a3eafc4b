// What a fuzz target finds wrong ends the program, so that libFuzzer keeps the input.
#ifndef TESTS_FUZZ_EXPECT_H_
#define TESTS_FUZZ_EXPECT_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"

namespace machine::fuzz {

inline absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void Expect(bool good, const char* otherwise) {
  if (good) return;
  std::fprintf(stderr, "%s\n", otherwise);
  std::abort();
}

}  // namespace machine::fuzz

#endif  // TESTS_FUZZ_EXPECT_H_
