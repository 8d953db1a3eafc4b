// Times as commands print them, in UTC.
#ifndef CLI_OUTPUT_TIME_TEXT_H_
#define CLI_OUTPUT_TIME_TEXT_H_

#include <string>

#include "google/protobuf/timestamp.pb.h"

namespace machine::cli {

/// For programs and people, "2026-01-02T03:04:05Z" (RFC 3339); empty for a time that is not set.
std::string IsoTime(const google::protobuf::Timestamp& time);

/// For tables, "2026-01-02 03:04:05"; "never" for a time that is not set.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_TIME_TEXT_H_
