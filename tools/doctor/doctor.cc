#include "tools/doctor/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/domain_name.h"
#include "tools/config_file.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/daemon_view.h"
#include "tools/doctor/file_checks.h"
#include "tools/doctor/listener_checks.h"
#include "tools/doctor/live_names.h"
#include "tools/doctor/local_addresses.h"
#include "tools/doctor/policy_checks.h"
#include "tools/doctor/resolver_checks.h"
#include "tools/doctor/reverse_name.h"
#include "tools/doctor/sending_checks.h"
#include "tools/doctor/signing_checks.h"
#include "tools/doctor/source_checks.h"
#include "tools/doctor/system_checks.h"
#include "tools/doctor/user_checks.h"
#include "tools/machine.h"

namespace outbox::tools {
namespace {

constexpr size_t kDnsGroupsAt = 7;  // in DoctorGroups(): those before are "system"

// One examination.
class Doctor {
 public:
  explicit Doctor(const DoctorOptions& options) : options_(options) {}
  ~Doctor() {
    if (loop_ != nullptr && loop_->stuck()) loop_->Abandon();
  }

  Report Run();

 private:
  bool Wanted(const std::string& group) const;
  bool WantedAny(size_t from, size_t to) const;
  // True when the group is wanted; what is found from now on belongs to it.
  bool Begin(const char* group);
  void LoadConfiguration();
  void MakeLoop();
  void FindAddresses();
  void ExamineSystem();
  void ExamineDns();
  void ExamineDomains(const std::vector<std::string>& domains, Names* names);
  void AddTemporaryNote();

  const DoctorOptions& options_;
  Report report_;
  core::Config config_;
  bool configured_ = false;  // config_ is the operator's
  DaemonView daemon_;
  std::unique_ptr<BlockingLoop> loop_;  // null without io_uring
  core::Status no_loop_;
  std::vector<core::IpAddress> addresses_;  // whose names and policies are looked at
};

bool Doctor::Wanted(const std::string& group) const {
  if (options_.only.empty()) return true;
  const auto& groups = DoctorGroups();
  const auto at = std::find(groups.begin(), groups.end(), group) - groups.begin();
  const char* const half = static_cast<size_t>(at) < kDnsGroupsAt ? "system" : "dns";
  return std::any_of(options_.only.begin(), options_.only.end(),
                     [&](const std::string& one) { return one == group || one == half; });
}

bool Doctor::WantedAny(size_t from, size_t to) const {
  const auto& groups = DoctorGroups();
  return std::any_of(groups.begin() + static_cast<ptrdiff_t>(from),
                     groups.begin() + static_cast<ptrdiff_t>(to),
                     [this](const std::string& group) { return Wanted(group); });
}

bool Doctor::Begin(const char* group) {
  report_.BeginGroup(group);
  return Wanted(group);
}

// Whatever is wanted, a configuration that is there and bad is reported: the rest depends on it.
void Doctor::LoadConfiguration() {
  report_.BeginGroup("config");
  const std::string& path = options_.config_file;
  if (!options_.config_given && ::access(path.c_str(), F_OK) != 0) {
    if (Wanted("config")) {
      report_.Note(path, "is not there: without it only what does not depend on it is looked at",
                   "Write one, or name it with --config FILE.");
    }
    AddMachineDefaults(&config_);
    return;
  }
  const LoadedConfig loaded = LoadExaminedConfig(path);
  if (loaded.config == nullptr) {
    for (const std::string& error : loaded.errors) {
      report_.Fail(
          path, error.starts_with(path + ":") ? error.substr(path.size() + 1) : error,
          "Correct the file at this line and column; docs/configuration.md has every key.");
    }
    AddMachineDefaults(&config_);
    return;
  }
  config_ = *loaded.config;
  configured_ = true;
  if (Wanted("config")) {
    report_.Ok(path, "is good: listeners " + std::to_string(config_.listeners.size()) +
                         ", routes " + std::to_string(config_.routes.size()));
  }
}

void Doctor::MakeLoop() {
  core::Result<std::unique_ptr<BlockingLoop>> loop = BlockingLoop::Create(config_.io.disable);
  no_loop_ = loop.status();
  if (loop.ok()) loop_ = std::move(*loop);
}

void Doctor::ExamineSystem() {
  if (WantedAny(0, kDnsGroupsAt)) {
    daemon_ = LookAtDaemon(options_.control.empty() ? config_.control : options_.control);
  }
  if (Begin("daemon")) CheckDaemon(daemon_, &report_);
  if (Begin("kernel")) CheckKernel(loop_.get(), no_loop_, config_, &report_);
  if (Begin("limits")) CheckLimits(config_, daemon_, &report_);
  if (Begin("clock")) CheckClock(&report_);
  const std::string unknown = "not looked at: the configuration says where they are";
  if (Begin("files")) {
    if (configured_) {
      CheckFiles(config_, daemon_, loop_.get(), &report_);
      CheckUserFiles(options_.config_file, config_, &report_);
    } else {
      report_.Note("files", unknown);
    }
  }
  if (!Begin("listeners")) return;
  if (configured_) {
    CheckListeners(config_, daemon_, loop_.get(), &report_);
  } else {
    report_.Note("listeners", unknown);
  }
}

// The addresses that are there to be judged; says what is odd about them.
void Doctor::FindAddresses() {
  addresses_ = options_.addresses;
  const bool report = Begin("address");
  if (!addresses_.empty()) {
    config_.sources.clear();  // these are what is to be looked at
    config_.senders.clear();
    config_.delivery.send_from.clear();
    return;
  }
  if (report) CheckSourceAddresses(config_, &report_);
  if (!config_.delivery.send_from.empty()) return;  // the system chooses nothing
  for (const core::IpAddress& address : SendingAddresses(loop_->io())) {
    if (!IsPrivateAddress(address)) {
      addresses_.push_back(address);
    } else if (report) {
      report_.Warn(address.ToString(),
                   "is what routes to the Internet send from, and the Internet cannot see it: "
                   "another address takes its place on the way",
                   "Find out which one receivers see (ask whoever runs the router), and name it: "
                   "outbox doctor --address ADDRESS.");
    }
  }
  if (report && addresses_.empty()) {
    report_.Note("address",
                 "no address is known that receivers see: names and policies of "
                 "addresses are not looked at",
                 "Name them: outbox doctor --address ADDRESS.");
  }
}

void Doctor::AddTemporaryNote() {
  std::string text(64 << 10, '\0');
  std::FILE* const file = std::fopen("/proc/net/if_inet6", "re");
  if (file == nullptr) return;
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  for (const core::IpAddress& address : addresses_) {
    if (address.is_v4() || !IsTemporary(address, text)) continue;
    report_.Warn(address.ToString(),
                 "is a temporary address, another one tomorrow: it cannot have a name",
                 "Set sysctl net.ipv6.conf.all.use_tempaddr=0 and ...default.use_tempaddr=0: mail "
                 "then goes from the lasting address.");
  }
}

void Doctor::ExamineDns() {
  if (!WantedAny(kDnsGroupsAt, DoctorGroups().size())) return;
  if (loop_ == nullptr) {
    report_.BeginGroup("resolver");
    report_.Fail("DNS", "nothing can be asked: " + no_loop_.message(),
                 "Make io_uring work first: outbox doctor --only kernel.");
    return;
  }
  std::vector<std::string> domains = options_.domains;
  const std::string own = DomainOfHost(config_.hostname);
  if (domains.empty()) {
    domains = SenderDomains(config_, kDoctorListMax - 1);
    const bool known = std::find(domains.begin(), domains.end(), own) != domains.end();
    if (!own.empty() && !known) domains.insert(domains.begin(), own);
  }
  if (Begin("resolver") &&
      !CheckResolvers(config_.resolver.servers, domains.empty() ? "localhost" : domains[0],
                      loop_.get(), &report_)) {
    return;
  }
  FindAddresses();
  LiveNames names(loop_.get(), config_.resolver.servers);
  if (Begin("address")) {
    AddTemporaryNote();
    for (const SendingName& one : SendingNames(config_, addresses_)) {
      for (const core::IpAddress& address : one.addresses) {
        CheckPointer(address, one.helo, &names, &report_);
      }
      if (configured_) CheckHelo(one.helo, one.key, one.addresses, &names, &report_);
    }
  }
  ExamineDomains(domains, &names);
}

void Doctor::ExamineDomains(const std::vector<std::string>& domains, Names* names) {
  if (Begin("domain")) {
    for (const std::string& domain : domains) CheckDomain(domain, names, &report_);
    if (domains.empty()) report_.Note("domain", "none is known: name those that send, --domain D");
  }
  if (Begin("spf")) {
    for (const std::string& domain : domains) {
      const SendingName from = SendingNameOf(config_, domain, addresses_);
      CheckSenderPolicy(domain, core::ToLower(from.helo), from.addresses, names, &report_);
    }
    for (const SendingName& one : SendingNames(config_, addresses_)) {
      const std::string helo = core::ToLower(one.helo);
      const bool separate = std::find(domains.begin(), domains.end(), helo) == domains.end();
      if (separate && core::IsQualifiedDomainName(helo)) {
        CheckHeloPolicy(helo, one.addresses, names, &report_);
      }
    }
  }
  if (Begin("dkim")) {
    for (const std::string& domain : domains) {
      for (const std::string& selector : options_.selectors) {
        CheckDkim(domain, selector, /*ours=*/nullptr, names, &report_);
      }
    }
    if (CheckSigningKeys(config_, domains, names, &report_) + options_.selectors.size() == 0) {
      report_.Note("dkim",
                   "nothing is signed here ([[dkim]]), and no key is looked at: where something "
                   "else signs, name its selectors, --selector S");
    }
  }
  if (Begin("dmarc")) {
    for (const std::string& domain : domains) CheckDmarc(domain, names, &report_);
  }
}

Report Doctor::Run() {
  LoadConfiguration();
  MakeLoop();
  ExamineSystem();
  ExamineDns();
  return std::move(report_);
}

}  // namespace

const std::vector<std::string>& DoctorGroups() {
  static const std::vector<std::string> kGroups = {
      "config",   "daemon",  "kernel", "limits", "clock", "files", "listeners",
      "resolver", "address", "domain", "spf",    "dkim",  "dmarc"};
  return kGroups;
}

std::string DomainOfHost(std::string_view hostname) {
  const std::string name = core::ToLower(hostname);
  if (!core::IsQualifiedDomainName(name)) return "";
  const std::string parent = name.substr(name.find('.') + 1);
  return core::IsQualifiedDomainName(parent) ? parent : name;
}

Report Examine(const DoctorOptions& options) { return Doctor(options).Run(); }

}  // namespace outbox::tools
