#include "core/time_format.h"

#include <chrono>

#include "core/time.h"

namespace outbox::core {
namespace {

constexpr char kDays[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr char kMonths[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// A moment in its calendar parts.
struct Calendar {
  uint32_t year;  // int64_t nanoseconds reach from 1677 to 2262
  uint32_t month;
  uint32_t day;
  uint32_t weekday;  // 0: Sunday
  uint32_t hour;
  uint32_t minute;
  uint32_t second;
  uint32_t millisecond;
};

Calendar ToCalendar(int64_t wall_ns) {
  int64_t days = wall_ns / kNsPerDay;
  int64_t rest = wall_ns % kNsPerDay;
  if (rest < 0) {
    --days;
    rest += kNsPerDay;
  }
  const std::chrono::sys_days date{std::chrono::days(days)};
  const std::chrono::year_month_day ymd(date);
  return {
      .year = static_cast<uint32_t>(static_cast<int>(ymd.year())),
      .month = static_cast<unsigned>(ymd.month()),
      .day = static_cast<unsigned>(ymd.day()),
      .weekday = std::chrono::weekday(date).c_encoding(),
      .hour = static_cast<uint32_t>(rest / kNsPerHour),
      .minute = static_cast<uint32_t>(rest / kNsPerMinute % 60),
      .second = static_cast<uint32_t>(rest / kNsPerSecond % 60),
      .millisecond = static_cast<uint32_t>(rest / kNsPerMs % 1000),
  };
}

// Writes a text piece by piece. The sizes of the pieces add up to the buffer's by construction.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  Writer& Number(uint32_t value, int digits) {
    for (int i = digits - 1; i >= 0; --i) {
      at_[i] = static_cast<char>('0' + value % 10);
      value /= 10;
    }
    at_ += digits;
    return *this;
  }
  Writer& Text(std::string_view text) {
    at_ += text.copy(at_, text.size());
    return *this;
  }
  Writer& Time(const Calendar& c) {
    return Number(c.hour, 2).Text(":").Number(c.minute, 2).Text(":").Number(c.second, 2);
  }

 private:
  char* at_;
};

}  // namespace

std::string_view FormatRfc5322Date(int64_t wall_ns, std::span<char, kRfc5322DateBytes> buffer) {
  const Calendar c = ToCalendar(wall_ns);
  Writer writer(buffer.data());
  writer.Text(kDays[c.weekday]).Text(", ").Number(c.day, 2).Text(" ").Text(kMonths[c.month - 1]);
  writer.Text(" ").Number(c.year, 4).Text(" ").Time(c).Text(" +0000");
  return {buffer.data(), buffer.size()};
}

std::string_view FormatRfc3339(int64_t wall_ns, std::span<char, kRfc3339Bytes> buffer) {
  const Calendar c = ToCalendar(wall_ns);
  Writer writer(buffer.data());
  writer.Number(c.year, 4).Text("-").Number(c.month, 2).Text("-").Number(c.day, 2).Text("T");
  writer.Time(c).Text(".").Number(c.millisecond, 3).Text("Z");
  return {buffer.data(), buffer.size()};
}

}  // namespace outbox::core
