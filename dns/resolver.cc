#include "dns/resolver.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/string_map.h"
#include "dns/codec.h"
#include "dns/lookups.h"
#include "dns/mx_rules.h"
#include "dns/resolution.h"
#include "dns/transport.h"

namespace outbox::dns {
namespace {

// Lower case, without a final dot.
std::string Normalized(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// Of a normalized address literal, RFC 5321 4.1.3.
std::optional<core::IpAddress> AddressOfLiteral(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != '[' || literal.back() != ']') return std::nullopt;
  literal.remove_prefix(1);
  literal.remove_suffix(1);
  const bool v6 = literal.starts_with("ipv6:");
  if (v6) literal.remove_prefix(5);
  const core::Result<core::IpAddress> address = core::IpAddress::Parse(literal);
  if (!address.ok() || address->is_v4() == v6) return std::nullopt;
  return *address;
}

MxPlanPtr Share(MxPlan plan) { return std::make_shared<const MxPlan>(std::move(plan)); }

}  // namespace

class Resolver::Impl {
 public:
  Impl(io::Io* io, core::TimerWheel* wheel)
      : transport_(io, wheel, &counters_), lookups_(io, &transport_, &counters_) {
    context_.io = io;
    context_.wheel = wheel;
    context_.lookups = &lookups_;
    context_.owner = this;
    context_.done = [](void* owner, Resolution* resolution, const MxPlanPtr& plan) {
      static_cast<Impl*>(owner)->OnDone(resolution, plan);
    };
  }
  ~Impl() {
    if (!closing_) Close();
    CHECK(closed());
  }

  void SetOptions(const ResolverOptions& options) {
    context_.self.names.clear();
    for (const std::string& name : options.own_names) {
      context_.self.names.push_back(Normalized(name));
    }
    context_.self.networks = options.own_networks;
    context_.ipv4 = options.ipv4;
    context_.ipv6 = options.ipv6;
    if (servers_ == options.servers) return;
    servers_ = options.servers;
    transport_.SetServers(servers_);
    lookups_.ClearCache();
  }

  MxPlanPtr ResolveMx(Query* query, std::string_view asked) {
    CHECK(!query->in_flight() && query->bound());
    ++counters_.resolutions;
    const std::string domain = Normalized(asked);
    if (closing_) return Closing(domain);
    if (domain.starts_with('[')) {
      const std::optional<core::IpAddress> address = AddressOfLiteral(domain);
      if (address) return Share(PlanOfLiteral(domain, *address, context_.self, now_ns()));
    }
    if (!CanAskFor(domain)) return Share(ImpossibleName(domain, now_ns()));
    if (const auto found = by_domain_.find(domain); found != by_domain_.end()) {
      found->second->queries.PushBack(query);
      return nullptr;
    }
    auto made = std::make_unique<Resolution>(&context_, query->patient);
    MxPlanPtr plan = made->StartMx(domain);
    if (plan != nullptr) return plan;
    by_domain_.emplace(domain, made.get());
    Keep(std::move(made), query);
    return nullptr;
  }

  MxPlanPtr ResolveHosts(Query* query, std::span<const std::string> names) {
    CHECK(!query->in_flight() && query->bound() && names.size() <= core::kConfigViaHosts);
    ++counters_.resolutions;
    if (closing_) return Closing("");
    std::vector<std::string> normalized;
    for (const std::string& name : names) normalized.push_back(Normalized(name));
    auto made = std::make_unique<Resolution>(&context_, query->patient);
    MxPlanPtr plan = made->StartHosts(normalized);
    if (plan == nullptr) Keep(std::move(made), query);
    return plan;
  }

  void Forget() { lookups_.ClearCache(); }

  void Close() {
    closing_ = true;
    by_domain_.clear();
    while (Resolution* resolution = resolutions_.PopFront()) delete resolution;
    transport_.Close();
    lookups_.Close();
  }
  bool closed() const { return closing_ && transport_.closed(); }

  const ResolverCounters& counters() const { return counters_; }

 private:
  int64_t now_ns() const { return context_.io->now_ns(); }

  MxPlanPtr Closing(std::string domain) const {
    MxPlan plan;
    plan.domain = std::move(domain);
    plan.reason = "the relay is being stopped";
    plan.valid_until_ns = now_ns() + core::kDnsRetryMinNs;
    return Share(std::move(plan));
  }

  void Keep(std::unique_ptr<Resolution> resolution, Query* query) {
    resolution->queries.PushBack(query);
    resolutions_.PushBack(resolution.release());
  }

  // Those who are called may ask the same again.
  void OnDone(Resolution* resolution, const MxPlanPtr& plan) {
    resolution->link.Unlink();
    const std::unique_ptr<Resolution> mine(resolution);
    if (const auto found = by_domain_.find(mine->domain());
        found != by_domain_.end() && found->second == resolution) {
      by_domain_.erase(found);
    }
    while (Query* query = mine->queries.PopFront()) query->Complete(plan);
  }

  ResolverCounters counters_;
  std::vector<core::SocketAddress> servers_;
  Transport transport_;
  Lookups lookups_;
  ResolutionContext context_;
  core::IntrusiveList<Resolution, &Resolution::link> resolutions_;  // owned
  core::StringMap<Resolution*> by_domain_;
  bool closing_ = false;
};

Resolver::Resolver(io::Io* io, core::TimerWheel* wheel, const ResolverOptions& options)
    : impl_(std::make_unique<Impl>(io, wheel)) {
  impl_->SetOptions(options);
}

Resolver::~Resolver() = default;

MxPlanPtr Resolver::ResolveMx(Query* query, std::string_view domain) {
  return impl_->ResolveMx(query, domain);
}

MxPlanPtr Resolver::ResolveHosts(Query* query, std::span<const std::string> names) {
  return impl_->ResolveHosts(query, names);
}

void Resolver::Cancel(Query* query) {
  if (query->in_flight()) query->link.Unlink();
}

void Resolver::SetOptions(const ResolverOptions& options) { impl_->SetOptions(options); }
void Resolver::Forget() { impl_->Forget(); }
void Resolver::Close() { impl_->Close(); }
bool Resolver::closed() const { return impl_->closed(); }
const ResolverCounters& Resolver::counters() const { return impl_->counters(); }

}  // namespace outbox::dns
