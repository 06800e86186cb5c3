// Requests of the control protocol: strict, and every mistake a sentence.
#include "tools/control_request.h"

#include <gtest/gtest.h>

#include <string>

#include "core/time.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

ControlRequest Good(const json& request) {
  const core::Result<ControlRequest> parsed = ParseControlRequest(request);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *parsed : ControlRequest();
}

std::string Bad(const json& request) {
  const core::Result<ControlRequest> parsed = ParseControlRequest(request);
  EXPECT_FALSE(parsed.ok()) << request;
  return parsed.status().message();
}

TEST(ControlRequest, AFilterInFull) {
  const queue::QueueFilter filter = Good({{"command", "queue"},
                                          {"state", {"deferred", "delayed"}},
                                          {"domain", "*.example.net"},
                                          {"sender", "<>"},
                                          {"recipient", "bob@*"},
                                          {"mailhost", "192.0.2.1:25"},
                                          {"route", "bulk"},
                                          {"reply", "full"},
                                          {"size_over", 1000},
                                          {"size_under", 5000},
                                          {"older_than", 60},
                                          {"younger_than", 0.5}})
                                        .filter;
  EXPECT_EQ(filter.states, queue::StateBit(queue::RecipientState::kDeferred) |
                               queue::StateBit(queue::RecipientState::kDelayed));
  EXPECT_EQ(filter.domain, "*.example.net");
  EXPECT_EQ(filter.sender, "<>");
  EXPECT_EQ(filter.recipient, "bob@*");
  EXPECT_EQ(filter.mailhost, "192.0.2.1:25");
  EXPECT_EQ(filter.route, "bulk");
  EXPECT_EQ(filter.reply, "full");
  EXPECT_EQ(filter.size_min, 1000u);
  EXPECT_EQ(filter.size_max, 5000u);
  EXPECT_EQ(filter.age_min_ns, core::kNsPerMinute);
  EXPECT_EQ(filter.age_max_ns, core::kNsPerSecond / 2);
  EXPECT_TRUE(Good({{"command", "queue"}}).filter.empty());
}

TEST(ControlRequest, HowTheQueueIsShown) {
  const ControlRequest sorted = Good({{"command", "queue"},
                                      {"columns", {"age", "recipient"}},
                                      {"sort", "size"},
                                      {"descending", true},
                                      {"limit", 20}});
  EXPECT_EQ(sorted.columns, queue::ColumnBit(queue::QueueColumn::kAge) |
                                queue::ColumnBit(queue::QueueColumn::kRecipient));
  EXPECT_EQ(sorted.sort, queue::QueueColumn::kSize);
  EXPECT_TRUE(sorted.descending);
  EXPECT_EQ(sorted.limit, 20u);
  EXPECT_EQ(Good({{"command", "queue"}}).columns, queue::kAllQueueColumns);
  EXPECT_TRUE(Good({{"command", "queue"}, {"count", true}}).count);
  EXPECT_EQ(Good({{"command", "queue"}, {"by", "reply"}}).by, queue::QueueColumn::kReply);

  EXPECT_EQ(Bad({{"command", "queue"}, {"by", "recipient"}}),
            "\"by\": expected one of state age tries sender domain mailhost reply route source");
  EXPECT_EQ(Bad({{"command", "queue"}, {"columns", json::array()}}),
            "\"columns\": expected an array of columns");
  EXPECT_EQ(Bad({{"command", "queue"}, {"columns", {"age", "colour"}}}),
            "\"columns\": expected one of id state age tries next sender recipient domain mailhost "
            "size reply route source");
  EXPECT_EQ(Bad({{"command", "queue"}, {"limit", 0}}),
            "\"limit\": expected a whole number from 1 on");
  EXPECT_EQ(Bad({{"command", "queue"}, {"sort", "age"}, {"limit", 10'001}}),
            "\"limit\": expected at most 10000");
  EXPECT_EQ(Bad({{"command", "queue"}, {"descending", true}}),
            "\"descending\": expected together with \"sort\"");
  EXPECT_EQ(Bad({{"command", "queue"}, {"sort", "age"}, {"count", true}}),
            "\"sort\": not with \"count\" or \"by\"");
  // What changes mail has no columns.
  EXPECT_EQ(Bad({{"command", "retry"}, {"all", true}, {"limit", 3}}), "unknown member \"limit\"");
}

TEST(ControlRequest, WhatChangesMailSaysWhichMail) {
  for (const char* const command :
       {"retry", "remove", "hold", "release", "clear", "reroute", "purge", "undo"}) {
    EXPECT_EQ(Bad({{"command", command}}), "expected either a filter or \"all\": true");
    EXPECT_EQ(Bad({{"command", command}, {"all", true}, {"domain", "x"}}),
              "expected either a filter or \"all\": true");
    EXPECT_EQ(Bad({{"command", command}, {"all", 1}}), "\"all\": expected true");
    EXPECT_EQ(Bad({{"command", command}, {"domian", "x"}}), "unknown member \"domian\"");
    EXPECT_EQ(Good({{"command", command}, {"domain", "x"}}).filter.domain, "x");
  }
}

TEST(ControlRequest, HowMailIsRoutedAgain) {
  const auto reroute = [](json members) {
    members["command"] = "reroute";
    members["all"] = true;
    return members;
  };
  const queue::RouteOrder clear =
      Good({{"command", "clear"}, {"route", "bulk"}, {"dry_run", true}}).order;
  EXPECT_TRUE(clear.clear);
  EXPECT_TRUE(clear.dry_run);
  EXPECT_FALSE(clear.original);
  EXPECT_EQ(Bad({{"command", "clear"}, {"all", true}, {"to", "a@b.c"}}), "unknown member \"to\"");
  EXPECT_TRUE(Good(reroute({})).order.original);
  const queue::RouteOrder order =
      Good(reroute({{"to", {"a@b.example", "c@d.example", "a@b.example"}}, {"from", "<>"}})).order;
  EXPECT_EQ(order.to, (std::vector<std::string>{"a@b.example", "c@d.example"}));
  EXPECT_EQ(order.from, "");
  EXPECT_FALSE(order.original);
  EXPECT_EQ(Good(reroute({{"via", "10.0.0.1,mx.example.net:2525"}})).order.hosts,
            "via:10.0.0.1:25,mx.example.net:2525");
  EXPECT_EQ(Good(reroute({{"via", {"[::1]:26"}}})).order.hosts, "via:[::1]:26");
  EXPECT_EQ(Good(reroute({{"via_route", "bulk"}})).order.route, "bulk");
  EXPECT_NE(Bad(reroute({{"to", "nobody"}})).find("\"nobody\" is no address: column"),
            std::string::npos);
  EXPECT_EQ(Bad(reroute({{"to", json::array()}})), "\"to\": expected 1 to 100 addresses");
  EXPECT_NE(Bad(reroute({{"from", ""}})).find("the null return path is \"<>\""), std::string::npos);
  EXPECT_NE(Bad(reroute({{"via", "a b"}})).find("is no host"), std::string::npos);
  EXPECT_EQ(Bad(reroute({{"via_route", ""}})), "\"via_route\": expected the name of a route");
  EXPECT_EQ(Bad(reroute({{"via", "a.example"}, {"via_route", "bulk"}})),
            "expected either \"via\" or \"via_route\"");
}

TEST(ControlRequest, WhatEndsMail) {
  using queue::RecipientState;
  const ControlRequest purge =
      Good({{"command", "purge"}, {"sender", "virus@*"}, {"reason", "a virus"}});
  EXPECT_EQ(purge.filter.sender, "virus@*");
  EXPECT_EQ(purge.filter.states, queue::kUsualStates);
  EXPECT_EQ(purge.reason, "a virus");
  EXPECT_FALSE(purge.now || purge.dry_run);
  EXPECT_TRUE(Good({{"command", "purge"}, {"all", true}, {"dry_run", true}}).dry_run);
  // At once means also what was purged before, unless states are named.
  EXPECT_EQ(Good({{"command", "purge"}, {"all", true}, {"now", true}}).filter.states,
            queue::kAllStates);
  EXPECT_EQ(Good({{"command", "remove"}, {"all", true}}).filter.states, queue::kAllStates);
  EXPECT_EQ(Good({{"command", "purge"}, {"state", "held"}, {"now", true}}).filter.states,
            queue::StateBit(RecipientState::kHeld));
  EXPECT_EQ(Bad({{"command", "purge"}, {"state", "purged"}}),
            "\"state\": purged already; expected \"now\": true with it");
  EXPECT_EQ(Good({{"command", "undo"}, {"domain", "a.test"}}).filter.domain, "a.test");
  EXPECT_EQ(Bad({{"command", "undo"}, {"state", "held"}}),
            "\"state\": not here: what is purged is taken back");
  EXPECT_EQ(Good({{"command", "bounce"}, {"all", true}, {"reason", "closed"}}).reason, "closed");
  EXPECT_EQ(Bad({{"command", "bounce"}, {"all", true}}),
            "\"reason\": expected a text, which the sender reads");
  EXPECT_EQ(Bad({{"command", "bounce"}, {"all", true}, {"reason", "f\xc3\xbcr immer"}}),
            "\"reason\": expected a text without accents or umlauts, which the sender reads");
  for (const char* const command : {"retry", "hold", "release"}) {
    EXPECT_EQ(Bad({{"command", command}, {"state", "purged"}}),
              "\"state\": what is purged must be taken back first, by \"undo\"");
    EXPECT_EQ(Bad({{"command", command}, {"all", true}, {"reason", "x"}}),
              "unknown member \"reason\"");
  }
  for (const json& reason : {json("two\nlines"), json(""), json(5), json(std::string(401, 'x'))}) {
    EXPECT_EQ(Bad({{"command", "purge"}, {"all", true}, {"reason", reason}}),
              "\"reason\": expected one line of 1 to 400 bytes");
  }
  EXPECT_EQ(Bad({{"command", "purge"}, {"all", true}, {"now", 1}}),
            "\"now\": expected true or false");
}

TEST(ControlRequest, WhyIsAboutOneThing) {
  EXPECT_EQ(Good({{"command", "why"}, {"domain", "Example.NET"}}).domain, "example.net");
  EXPECT_NE(Good({{"command", "why"}, {"id", "1k0wcjndqsz00"}}).filter.id, 0u);
  EXPECT_EQ(Good({{"command", "why"}, {"recipient", "Bob@b.test"}}).filter.recipient, "Bob@b.test");
  const char* const one = "expected one of \"id\", \"recipient\" and \"domain\"";
  EXPECT_EQ(Bad({{"command", "why"}}), one);
  EXPECT_EQ(Bad({{"command", "why"}, {"id", "1K0WCJNDQSZ00"}, {"domain", "a.b"}}), one);
  EXPECT_EQ(Bad({{"command", "why"}, {"recipient", "@b.test"}}),
            "\"recipient\": expected an address, for example \"bob@example.net\"");
  EXPECT_EQ(Bad({{"command", "why"}, {"id", "0000000000000"}}),
            "\"id\": expected a message id of 13 characters");
  EXPECT_EQ(Bad({{"command", "why"}, {"domain", "a b"}}),
            "\"domain\": expected a domain, for example \"example.net\"");
}

TEST(ControlRequest, ARouteIsAskedForAMessageOrADestination) {
  const RouteQuestion question = Good({{"command", "route"},
                                       {"sender", "<>"},
                                       {"recipient", "bob@example.net"},
                                       {"source", "192.0.2.1"},
                                       {"header", {"X-Class: bulk", "Subject:"}},
                                       {"size", 1024}})
                                     .route;
  EXPECT_EQ(question.sender, "");
  EXPECT_EQ(question.recipient, "bob@example.net");
  EXPECT_EQ(question.source->ToString(), "192.0.2.1");
  EXPECT_EQ(question.headers.size(), 2u);
  EXPECT_EQ(question.size, 1024u);
  EXPECT_EQ(Good({{"command", "route"}, {"destination", "mx:a.example"}}).route.destination,
            "mx:a.example");
  const char* const both = "expected either \"recipient\" or \"destination\"";
  EXPECT_EQ(Bad({{"command", "route"}}), both);
  EXPECT_EQ(Bad({{"command", "route"}, {"recipient", "a@b"}, {"destination", "mx:b"}}), both);
  EXPECT_EQ(Bad({{"command", "route"}, {"recipient", "example.net"}}),
            "\"recipient\": expected an address");
  EXPECT_EQ(Bad({{"command", "route"}, {"sender", ""}}),
            "\"sender\": expected an address, or \"<>\" for the null return path");
  EXPECT_EQ(Bad({{"command", "route"}, {"source", "here"}}),
            "\"source\": expected the address of a client");
  EXPECT_EQ(Bad({{"command", "route"}, {"header", "no colon"}}),
            "\"header\": expected up to 100 fields, for example \"X-Class: bulk\"");
  EXPECT_EQ(Bad({{"command", "route"}, {"size", 0}}),
            "\"size\": expected bytes, a number from 1 on");
  EXPECT_EQ(Bad({{"command", "route"}, {"destination", "hold:"}}),
            "\"destination\": expected for example \"mx:example.net\"");
  EXPECT_EQ(Bad({{"command", "route"}, {"domain", "a.b"}}), "unknown member \"domain\"");
}

TEST(ControlRequest, Mistakes) {
  EXPECT_EQ(Bad({{"command", "purse"}}),
            "unknown command \"purse\"; known are stats queue why retry remove hold release clear "
            "reroute purge undo bounce route reload log talk report suspend resume suspended sites "
            "stop");
  EXPECT_EQ(Bad({{"command", "stats"}, {"id", "1K0WCJNDQSZ00"}}), "unknown member \"id\"");
  EXPECT_EQ(Bad({{"command", "queue"}, {"state", "lost"}}),
            "\"state\": expected one of unrouted resolving ready sending deferred delayed held "
            "purged");
  EXPECT_EQ(Bad({{"command", "queue"}, {"state", json::array()}}),
            "\"state\": expected at least one");
  EXPECT_EQ(Bad({{"command", "queue"}, {"older_than", -1}}),
            "\"older_than\": expected seconds, a number from 0 on");
  EXPECT_EQ(Bad({{"command", "queue"}, {"sender", ""}}),
            "\"sender\": expected a pattern of 1 to 1024 bytes");
}

TEST(ControlRequest, TheStatsSocketAnswersStatsAlone) {
  for (const char* const command : {"queue", "reload", "log", "stop"}) {
    EXPECT_FALSE(IsForStatsSocket(Good({{"command", command}}).command)) << command;
  }
  EXPECT_TRUE(IsForStatsSocket(Good({{"command", "stats"}}).command));
}

TEST(ControlRequest, WhatIsSuspendedAndResumed) {
  const SuspendRequest domain = Good({{"command", "suspend"},
                                      {"domain", "*.Example.net"},
                                      {"for", 7200},
                                      {"reason", "their maintenance"}})
                                    .suspend;
  EXPECT_EQ(domain.name, "*.example.net");
  EXPECT_FALSE(domain.site);
  EXPECT_EQ(domain.for_ns, 2 * core::kNsPerHour);
  EXPECT_EQ(domain.reason, "their maintenance");
  const SuspendRequest site = Good({{"command", "resume"}, {"site", "Large"}}).suspend;
  EXPECT_EQ(site.name, "Large");
  EXPECT_TRUE(site.site);
  EXPECT_TRUE(Good({{"command", "resume"}, {"all", true}}).suspend.all);
  EXPECT_EQ(Good({{"command", "sites"}, {"limit", 5}}).limit, 5u);
  EXPECT_EQ(Good({{"command", "suspended"}}).command, ControlCommand::kSuspended);
  EXPECT_EQ(Bad({{"command", "suspend"}}), "expected one of \"domain\" and \"site\"");
  EXPECT_EQ(Bad({{"command", "suspend"}, {"domain", "a.example"}, {"site", "b"}}),
            "expected one of \"domain\" and \"site\"");
  EXPECT_EQ(Bad({{"command", "suspend"}, {"domain", "mx*.example.net"}}),
            "\"domain\": expected \"example.net\", \"*.example.net\" or \"*\"");
  EXPECT_EQ(Bad({{"command", "suspend"}, {"all", true}}),
            "\"all\": not with \"suspend\"; \"domain\": \"*\" is all");
  EXPECT_EQ(Bad({{"command", "suspend"}, {"domain", "a.example"}, {"for", 0}}),
            "\"for\": expected seconds, a number from 1 on");
  EXPECT_EQ(Bad({{"command", "suspend"}, {"site", "a"}, {"reason", "two\nlines"}}),
            "\"reason\": expected a line of at most 200 bytes");
  EXPECT_EQ(Bad({{"command", "resume"}}), "expected one of \"domain\", \"site\" and \"all\": true");
  EXPECT_EQ(Bad({{"command", "resume"}, {"site", "a"}, {"reason", "b"}}),
            "\"for\", \"reason\": not with \"resume\"");
  EXPECT_EQ(Bad({{"command", "sites"}, {"domain", "a.example"}}), "unknown member \"domain\"");
}

}  // namespace
}  // namespace outbox::tools
