// Report: what the doctor has found, in the order in which he looked.
#ifndef OUTBOX_TOOLS_DOCTOR_REPORT_H_
#define OUTBOX_TOOLS_DOCTOR_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace outbox::tools {

enum class Level : uint8_t {
  kOk,
  kNote,  // worth knowing; nothing is to be done
  kWarn,  // works, and may not for some receivers, or not for long
  kFail,  // must be changed
};
// "ok", "note", "warn", "fail".
const char* LevelName(Level level);

struct Finding {
  std::string group;  // "address", "spf", ...
  Level level = Level::kOk;
  std::string what;     // was looked at: an address, a domain, a path
  std::string finding;  // a clause without a full stop
  std::string fix;      // what to change, and whom to ask for it: a sentence or two; "" with kOk
};

class Report {
 public:
  // What is added from now on belongs to this group.
  void BeginGroup(std::string name) { group_ = std::move(name); }

  void Ok(std::string what, std::string finding) {
    Add(Level::kOk, std::move(what), std::move(finding), "");
  }
  void Note(std::string what, std::string finding, std::string fix = "") {
    Add(Level::kNote, std::move(what), std::move(finding), std::move(fix));
  }
  void Warn(std::string what, std::string finding, std::string fix) {
    Add(Level::kWarn, std::move(what), std::move(finding), std::move(fix));
  }
  void Fail(std::string what, std::string finding, std::string fix) {
    Add(Level::kFail, std::move(what), std::move(finding), std::move(fix));
  }

  const std::vector<Finding>& findings() const { return findings_; }
  size_t Count(Level level) const;

 private:
  void Add(Level level, std::string what, std::string finding, std::string fix) {
    findings_.push_back({group_, level, std::move(what), std::move(finding), std::move(fix)});
  }

  std::string group_;
  std::vector<Finding> findings_;
};

// For a person: a heading for each group, a line for each finding, its fix below it.
std::string FormatReport(const Report& report);
// For machines: one object a line.
std::string FormatReportJson(const Report& report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_REPORT_H_
