// Query: somebody waits for a plan (dns/resolver.h).
#ifndef OUTBOX_DNS_QUERY_H_
#define OUTBOX_DNS_QUERY_H_

#include "core/check.h"
#include "core/intrusive_list.h"
#include "dns/mx_plan.h"

namespace outbox::dns {

// One resolution, as its owner sees it. Embedded in the owner; not in flight when destroyed
// (Resolver::Cancel it).
class Query {
 public:
  Query() = default;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { CHECK(!in_flight()); }

  // Binds the completion: query.Bind<&Destination::OnPlan>(this), with
  // void OnPlan(const MxPlanPtr& plan). In it the query is free to be used again or destroyed.
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    done_ = [](void* target, const MxPlanPtr& plan) {
      (static_cast<Owner*>(target)->*Method)(plan);
    };
  }

  // What is asked had no answer the last time: those that ask for the first time go first.
  bool patient = false;

  bool bound() const { return done_ != nullptr; }
  bool in_flight() const { return link.linked(); }

  // --- For the resolver ---
  void Complete(const MxPlanPtr& plan) { done_(owner_, plan); }
  core::ListLink link;  // in the resolution that it waits for

 private:
  void* owner_ = nullptr;
  void (*done_)(void*, const MxPlanPtr&) = nullptr;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_QUERY_H_
