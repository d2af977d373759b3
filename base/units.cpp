#include "base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <numeric>
#include <optional>

namespace cairn {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kKi = 1024.0;
constexpr std::array kSizeUnits = {
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"K", kKi},
    Unit{"KiB", kKi},
    Unit{"kB", 1e3},
    Unit{"KB", 1e3},
    Unit{"M", kKi* kKi},
    Unit{"MiB", kKi* kKi},
    Unit{"MB", 1e6},
    Unit{"G", kKi* kKi* kKi},
    Unit{"GiB", kKi* kKi* kKi},
    Unit{"GB", 1e9},
    Unit{"T", kKi* kKi* kKi* kKi},
    Unit{"TiB", kKi* kKi* kKi* kKi},
    Unit{"TB", 1e12},
};
constexpr std::array kDurationUnits = {
    Unit{"ns", 1},   Unit{"us", 1e3},   Unit{"ms", 1e6},   Unit{"s", 1e9},
    Unit{"m", 60e9}, Unit{"min", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9},
};

struct Quantity {
  double number = 0;
  std::string_view unit;
};

// Digits, at most one point between digits, then letters: no signs, exponents or hexadecimal.
std::optional<Quantity> split_quantity(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, digits);
  if (number.empty() || number.front() == '.' || number.back() == '.') return std::nullopt;
  Quantity quantity;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), quantity.number);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  quantity.unit = text.substr(digits);
  if (quantity.unit.starts_with(' ') && quantity.unit.size() > 1) quantity.unit.remove_prefix(1);
  return quantity;
}

template <size_t N>
std::optional<double> factor_of(const std::array<Unit, N>& units, std::string_view name) {
  const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  if (found == units.end()) return std::nullopt;
  return found->factor;
}

constexpr double kMost = 9.2e18;  // just below 2^63

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  const std::optional<Quantity> quantity = split_quantity(text);
  const std::optional<double> factor = quantity ? factor_of(kSizeUnits, quantity->unit) : std::nullopt;
  if (!factor) return fail(Errc::invalid_argument, "'{}' is no size: write it like 20GiB, 512MiB or 4096", text);
  const double bytes = quantity->number * *factor;
  if (bytes > kMost) return fail(Errc::invalid_argument, "'{}' is more than any machine has", text);
  return static_cast<uint64_t>(std::llround(bytes));
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const std::optional<Quantity> quantity = split_quantity(text);
  if (quantity && quantity->unit.empty() && quantity->number == 0) return std::chrono::nanoseconds(0);
  const std::optional<double> factor = quantity ? factor_of(kDurationUnits, quantity->unit) : std::nullopt;
  if (!factor) return fail(Errc::invalid_argument, "'{}' is no duration: write it like 1s, 250ms, 2m or 0", text);
  const double nanos = quantity->number * *factor;
  if (nanos > kMost) return fail(Errc::invalid_argument, "'{}' is longer than three centuries", text);
  return std::chrono::nanoseconds(std::llround(nanos));
}

Result<uint32_t> parse_count(std::string_view text) {
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::invalid_argument, "'{}' is no whole number", text);
  }
  return count;
}

Result<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  return fail(Errc::invalid_argument, "'{}' is neither true nor false", text);
}

std::string human_bytes(uint64_t size_bytes) {
  static constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  auto value = static_cast<double>(size_bytes);
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", size_bytes);
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const double seconds = static_cast<double>(duration.count()) / 1e9;
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<uint64_t>(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d {}h", whole / 86400, whole % 86400 / 3600);
}

std::string human_time(Nanos time) {
  const std::time_t seconds = static_cast<std::time_t>(time / 1'000'000'000);
  std::tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return {text.data(), length};
}

std::string human_count(uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string human_count(uint64_t count, std::string_view noun) {
  const std::string text = human_count(count) + " ";
  if (count == 1) return text + std::string(noun);
  if (noun.ends_with('y')) return text + std::string(noun.substr(0, noun.size() - 1)) + "ies";
  return text + std::string(noun) + "s";
}

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
  std::string best;
  size_t fewest = text.size() / 2 + 2;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(text, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace cairn
