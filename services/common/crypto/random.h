// Random bytes and identifiers.
#ifndef SERVICES_COMMON_CRYPTO_RANDOM_H_
#define SERVICES_COMMON_CRYPTO_RANDOM_H_

#include <cstddef>
#include <string>

namespace machine::common {

/// `count` unpredictable bytes. Ends the process when the system has none to give, because nothing
/// that asks for them could go on safely. Thread-safe.
std::string RandomBytes(size_t count);

/// A new random UUID (RFC 9562 version 4), as 36 lower-case characters.
std::string NewUuid();

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_RANDOM_H_
