// Sizes, durations and times between people and the program.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cairn {

// "20GiB", "1.5G", "500MB", "4096": K, M, G, T and KiB… are powers of 1024, kB, MB… of 1000; a bare number is bytes.
// Failures: invalid_argument, for anything else, or more than 2^63.
Result<uint64_t> parse_size(std::string_view text);

// "1s", "250ms", "1.5h", "2d"; a bare number must be 0. Failures: invalid_argument.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// Decimal digits only. Failures: invalid_argument.
Result<uint32_t> parse_count(std::string_view text);

// "true", "yes", "on", "1" and their opposites. Failures: invalid_argument.
Result<bool> parse_bool(std::string_view text);

// "1.5 GiB", "312 KiB", "17 B": for people, never for parsing.
std::string human_bytes(uint64_t size_bytes);

// "2d 4h", "3m 10s", "0.5s": two units at most.
std::string human_duration(std::chrono::nanoseconds duration);

// "2026-11-21 14:30:05" in local time.
std::string human_time(Nanos time);

// "12,345".
std::string human_count(uint64_t count);
// "1 file", "12,345 files", "2 directories".
std::string human_count(uint64_t count, std::string_view noun);

// Which of `candidates` somebody meant who wrote `text`: the one with the fewest edits; "" if nothing is near.
std::string nearest(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace cairn
