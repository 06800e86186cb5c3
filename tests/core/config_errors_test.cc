// What an operator reads when something is wrong: exact lines, in the order of the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct BadFile {
  std::string what;
  std::string text;
  std::vector<std::string> errors;
};

void Check(const std::vector<BadFile>& cases) {
  for (const BadFile& c : cases) {
    EXPECT_EQ(ParseConfig(c.text, "f").errors, c.errors) << c.what;
  }
}

// Six lines that are fine, so that what a case adds starts on line 7.
const std::string kFine =
    "hostname = \"relay.example.com\"\n"
    "\n"
    "[[listener]]\n"
    "address = \"127.0.0.1:2525\"\n"
    "relay_from = [\"127.0.0.0/8\"]\n"
    "\n";

// A listener of which only relay_from is of interest, on line 4.
std::string RelayFrom(const std::string& networks) {
  return "hostname = \"relay.example.com\"\n[[listener]]\naddress = \"127.0.0.1:2525\"\n"
         "relay_from = " +
         networks + "\n";
}

// A route of which only one line is of interest, line 8.
std::string Route(const std::string& line) {
  const bool is_via = line.starts_with("via");
  return kFine + "[[route]]\n" + line + "\n" +
         (is_via ? "match = \"*\"\n" : "via = \"10.0.0.1\"\n");
}

TEST(ConfigErrors, Syntax) {
  const std::vector<std::string> errors = ParseConfig("hostname = \n", "dir/f.toml").errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0], testing::StartsWith("dir/f.toml:1:12: "));
  EXPECT_THAT(errors[0], testing::EndsWith("; expected TOML"));
  EXPECT_THAT(ParseConfig("a = \"\xff\"", "f").errors, testing::SizeIs(1));
  EXPECT_THAT(ParseConfig("a = 1\na = 2", "f").errors, testing::SizeIs(1));
  EXPECT_THAT(ParseConfig("[~limits]", "f").errors, testing::SizeIs(1));
  EXPECT_THAT(ParseConfig("gr\xc3\xbc\xc3\x9f"
                          "e = 1",
                          "f")
                  .errors,
              testing::SizeIs(1));
}

TEST(ConfigErrors, TopLevel) {
  Check({
      {"nothing",
       "",
       {"f:1:1: the configuration has no \"hostname\"; expected this machine's full name, for "
        "example \"relay.example.com\"",
        "f:1:1: the configuration has no [[listener]]; expected at least one"}},
      {"misspelt",
       "hostnmae = \"relay.example.com\"\n" + kFine.substr(kFine.find("[[")),
       {"f:1:1: the configuration has no \"hostname\"; expected this machine's full name, for "
        "example \"relay.example.com\"",
        "f:1:1: unknown key \"hostnmae\"; did you mean \"hostname\"?"}},
      {"unlike anything",
       "colour = \"red\"\n" + kFine,
       {"f:1:1: unknown key \"colour\"; expected one of hostname, spool, control, stats, maildrop, "
        "shards, stop_timeout, auth, listener, storage, queue, resolver, source, sender, delivery, "
        "archive, route, site, sites, local, dkim, log, talk, limits, io"}},
      {"short host name",
       "hostname = \"relay\"\n" + kFine.substr(kFine.find("[[")),
       {"f:1:12: \"relay\" is not a full host name; expected for example \"relay.example.com\" or "
        "\"[192.0.2.1]\""}},
      {"bare address as host name",
       "hostname = \"192.0.2.1\"\n" + kFine.substr(kFine.find("[[")),
       {"f:1:12: \"192.0.2.1\" is not a full host name; expected for example "
        "\"relay.example.com\" or \"[192.0.2.1]\""}},
      {"wrong type",
       "shards = \"four\"\n" + kFine,
       {"f:1:10: \"shards\" is a string; expected an integer from 0 to 64"}},
      {"out of range",
       "shards = 65\n" + kFine,
       {"f:1:10: \"shards\" is 65; expected an integer from 0 to 64"}},
      {"negative",
       "shards = -1\n" + kFine,
       {"f:1:10: \"shards\" is -1; expected an integer from 0 to 64"}},
      {"duration as a number",
       "stop_timeout = 10\n" + kFine,
       {"f:1:16: \"stop_timeout\" is an integer; expected a duration, for example \"15m\""}},
      {"duration without unit",
       "stop_timeout = \"10\"\n" + kFine,
       {"f:1:16: \"stop_timeout\": \"10\" is not a duration with a unit; expected for example "
        "\"500ms\", \"90s\", \"15m\", \"1h30m\" or \"5d\""}},
      {"duration out of range",
       "stop_timeout = \"2h\"\n" + kFine,
       {"f:1:16: \"stop_timeout\" is 2h; expected a duration from 0s to 1h"}},
      {"never where it is not allowed",
       "stop_timeout = \"never\"\n" + kFine,
       {"f:1:16: \"stop_timeout\": \"never\" is not a duration; expected for example \"500ms\", "
        "\"90s\", \"15m\", \"1h30m\" or \"5d\""}},
      {"path",
       "spool = \"\"\ncontrol = \"" + std::string(108, 'x') + "\"\n" + kFine,
       {"f:1:9: \"\" is not a path that can be used; expected 1 to 4000 bytes",
        "f:2:11: \"" + std::string(108, 'x') +
            "\" is not a path that can be used; expected 1 to 107 bytes"}},
      {"spool as a table",
       kFine + "[spool]\nsegment_size = \"8MiB\"\n",
       {"f:7:1: \"spool\" is a table; expected a string"}},
      {"table as a value",
       "storage = 5\n" + kFine,
       {"f:1:11: \"storage\" is an integer; expected a table: [storage]"}},
  });
}

TEST(ConfigErrors, Listeners) {
  Check({
      {"one table instead of an array",
       "hostname = \"a.example\"\n[listener]\naddress = \"x\"\n",
       {"f:2:1: \"listener\" is a table; expected tables: [[listener]]"}},
      {"array of something else",
       "hostname = \"a.example\"\nlistener = [25]\n",
       {"f:2:13: an element of \"listener\" is an integer; expected tables: [[listener]]"}},
      {"empty",
       "hostname = \"a.example\"\n[[listener]]\n",
       {"f:2:1: [[listener]] has no \"address\"; expected for example address = "
        "\"127.0.0.1:25\"",
        "f:2:1: [[listener]] has no \"relay_from\"; expected the networks that may send mail "
        "here, for example [\"127.0.0.0/8\", \"::1\"]"}},
      {"address without a port",
       "hostname = \"a.example\"\n[[listener]]\naddress = \"127.0.0.1\"\nrelay_from = \"::1\"\n",
       {"f:3:11: \"127.0.0.1\" is not an IP address and port; expected for example "
        "\"192.0.2.1:25\" or \"[2001:db8::1]:25\""}},
      {"port 0",
       "hostname = \"a.example\"\n[[listener]]\naddress = \"127.0.0.1:0\"\nrelay_from = \"::1\"\n",
       {"f:3:11: \"127.0.0.1:0\" has port 0; expected a port from 1 to 65535"}},
      {"twice the same",
       kFine + "[[listener]]\naddress = \"127.0.0.1:2525\"\nrelay_from = \"::1\"\n",
       {"f:8:11: \"127.0.0.1:2525\" is the address of the listener in line 4, too; expected a "
        "different address for each"}},
      {"a unix socket without a path",
       "hostname = \"a.example\"\n[[listener]]\naddress = \"unix:submit.sock\"\n",
       {"f:3:11: \"unix:submit.sock\" is not the path of a unix socket; expected an absolute path, "
        "for example \"unix:/run/outbox/submit.sock\", of at most 107 bytes"}},
      {"a unix socket for networks",
       kFine + "[[listener]]\naddress = \"unix:/run/s\"\nrelay_from = \"::1\"\n",
       {"f:9:14: \"relay_from\" means nothing at a unix socket, where who can open it may send; "
        "expected no such key"}},
      {"twice the same unix socket",
       kFine + "[[listener]]\naddress = \"unix:/s\"\n[[listener]]\naddress = \"unix:/s\"\n",
       {"f:10:11: \"unix:/s\" is the address of the listener in line 8, too; expected a different "
        "address for each"}},
      {"the control socket",
       kFine + "[[listener]]\naddress = \"unix:/run/outbox/control.sock\"\n",
       {"f:8:11: \"unix:/run/outbox/control.sock\" is the socket of \"control\" or \"stats\"; "
        "expected a path of its own"}},
      {"a maildrop that cannot hand its mail in",
       "maildrop = \"/var/spool/maildrop\"\n" + kFine,
       {"f:1:12: \"maildrop\" needs a way to hand its mail in; expected a [[listener]] with "
        "address = \"unix:/...\""}},
      {"size",
       kFine.substr(0, kFine.size() - 1) + "max_size = \"50 MiB\"\n",
       {"f:6:12: \"max_size\": \"50 MiB\" is not a size; expected for example \"64KiB\", "
        "\"50MiB\", \"10MB\" or a number of bytes"}},
      {"size of another type",
       kFine.substr(0, kFine.size() - 1) + "max_size = 1.5\n",
       {"f:6:12: \"max_size\" is a fraction; expected a size, for example \"50MiB\""}},
      {"size out of range",
       kFine.substr(0, kFine.size() - 1) + "max_size = \"4GiB\"\n",
       {"f:6:12: \"max_size\" is 4GiB; expected a size from 1KiB to 2GiB"}},
      {"misspelt",
       kFine.substr(0, kFine.size() - 1) + "max_recipient = 5\n",
       {"f:6:1: unknown key \"max_recipient\" in [[listener]]; did you mean \"max_recipients\"?"}},
  });
}

TEST(ConfigErrors, OpenRelay) {
  const std::string open =
      " would make this an open relay; expected networks of your own: /8 or longer for IPv4, /16 "
      "or longer for IPv6";
  const std::string together =
      "f:4:14: \"relay_from\" would make this an open relay; expected public networks that are "
      "together no more than a /8 of IPv4 and a /16 of IPv6";
  Check({
      {"the IPv4 world",
       RelayFrom("[\"127.0.0.0/8\", \"0.0.0.0/0\"]"),
       {"f:4:30: \"0.0.0.0/0\"" + open}},
      {"the IPv6 world", RelayFrom("\"::/0\""), {"f:4:14: \"::/0\"" + open}},
      {"a half", RelayFrom("[\"0.0.0.0/1\"]"), {"f:4:15: \"0.0.0.0/1\"" + open}},
      {"wider than a private range",
       RelayFrom("[\"10.0.0.0/7\"]"),
       {"f:4:15: \"10.0.0.0/7\"" + open}},
      {"all global IPv6", RelayFrom("[\"2000::/3\"]"), {"f:4:15: \"2000::/3\"" + open}},
      {"two together", RelayFrom("[\"9.0.0.0/8\", \"11.0.0.0/24\"]"), {together}},
      {"two together, IPv6", RelayFrom("[\"2001::/16\", \"2002::/16\"]"), {together}},
      {"nobody", RelayFrom("[]"), {"f:4:14: \"relay_from\" has 0 elements; expected 1 to 10000"}},
      {"bits behind the prefix",
       RelayFrom("[\"10.1.2.3/8\"]"),
       {"f:4:15: \"10.1.2.3/8\" is not a network; expected zeros behind the prefix length"}},
      {"a name",
       RelayFrom("[\"localhost\"]"),
       {"f:4:15: \"localhost\" is not a network; expected for example \"10.0.0.0/8\", "
        "\"192.0.2.1\" or \"2001:db8::/32\""}},
      {"not a string",
       RelayFrom("[10]"),
       {"f:4:15: an element of \"relay_from\" is an integer; expected a string"}},
      {"not an array",
       RelayFrom("true"),
       {"f:4:14: \"relay_from\" is a boolean; expected an array of networks"}},
  });
}

TEST(ConfigErrors, Routes) {
  Check({
      {"empty",
       kFine + "[[route]]\n",
       {"f:7:1: [[route]] has no \"via\"; expected \"mx\", hosts to send to, for example "
        "[\"192.0.2.25:25\"], \"hold\", \"reject TEXT\" or \"discard\"",
        "f:7:1: [[route]] has no \"match\"; expected recipient domains, for example "
        "\"*.example.net\" or \"*\""}},
      {"pattern",
       Route("match = \"*example.net\""),
       {"f:8:9: \"*example.net\" is not a pattern of recipient domains; expected \"example.net\", "
        "\"*.example.net\" or \"*\""}},
      {"address as a pattern",
       Route("match = \"joe@example.net\""),
       {"f:8:9: \"joe@example.net\" is not a pattern of recipient domains; expected "
        "\"example.net\", \"*.example.net\" or \"*\""}},
      {"MX beside hosts",
       Route("via = [\"10.0.0.1:25\", \"mx\"]"),
       {"f:8:23: \"mx\" stands beside hosts; expected either \"mx\" alone or hosts"}},
      {"port of hosts",
       Route("via = \"10.0.0.1\"\nport = 26"),
       {"f:9:8: \"port\" is for via = \"mx\"; expected it behind each host, for example "
        "\"192.0.2.25:2525\""}},
      {"port",
       Route("via = \"mx\"\nport = 65536"),
       {"f:9:8: \"port\" is 65536; expected an integer from 1 to 65535"}},
      {"host name with a bad port",
       Route("via = [\"backup.example.net:0\"]"),
       {"f:8:8: \"backup.example.net:0\" is not a host to send to; expected \"mx\", "
        "\"mail.example.net\", \"192.0.2.25:2525\", \"[2001:db8::25]:25\", "
        "\"lmtp:127.0.0.1:24\" or \"lmtp:/run/dovecot/lmtp\""}},
      {"no host",
       Route("via = [\"10.0.0.1:99999\"]"),
       {"f:8:8: \"10.0.0.1:99999\" is not a host to send to; expected \"mx\", "
        "\"mail.example.net\", \"192.0.2.25:2525\", \"[2001:db8::25]:25\", "
        "\"lmtp:127.0.0.1:24\" or \"lmtp:/run/dovecot/lmtp\""}},
      {"twice",
       Route("via = [\"10.0.0.1\", \"10.0.0.1:25\"]"),
       {"f:8:20: \"10.0.0.1:25\" stands twice; expected each host once"}},
      {"name",
       Route("name = \"\"\nmatch = \"*\""),
       {"f:8:8: \"\" is no name for a route; expected 1 to 64 bytes"}},
      {"retry",
       Route("retry = [\"1m\", \"soon\"]\nmatch = \"*\""),
       {"f:8:16: \"retry\": \"soon\" is not a duration; expected for example \"500ms\", \"90s\", "
        "\"15m\", \"1h30m\" or \"5d\""}},
      {"retry at once",
       Route("retry = \"500ms\"\nmatch = \"*\""),
       {"f:8:9: \"500ms\" is no period to retry after; expected a duration from 1s to 365d"}},
      {"notify_after",
       Route("notify_after = \"nevr\"\nmatch = \"*\""),
       {"f:8:16: \"notify_after\": \"nevr\" is not a duration; expected for example \"500ms\", "
        "\"90s\", \"15m\", \"1h30m\" or \"5d\" or \"never\""}},
      {"notify_after of another type",
       Route("notify_after = false\nmatch = \"*\""),
       {"f:8:16: \"notify_after\" is a boolean; expected a duration, for example \"15m\" or "
        "\"never\""}},
  });
}

TEST(ConfigErrors, RoutesThatLeadBackToUs) {
  const auto circle = [](const std::string& host) {
    return std::vector<std::string>{
        "f:8:8: \"" + host +
        "\" is our own listener, and mail would go round in a circle; expected another host"};
  };
  const std::string everywhere =
      "hostname = \"relay.example.com\"\n\n[[listener]]\naddress = \"0.0.0.0:25\"\n"
      "relay_from = [\"127.0.0.0/8\"]\n\n[[route]]\n";
  Check({
      {"an address", Route("via = [\"127.0.0.1:2525\"]"), circle("127.0.0.1:2525")},
      {"our name", Route("via = [\"RELAY.example.com:2525\"]"), circle("RELAY.example.com:2525")},
      {"localhost", Route("via = [\"localhost:2525\"]"), circle("localhost:2525")},
      {"a listener on all addresses", everywhere + "via = [\"127.0.0.9\"]\nmatch = \"*\"\n",
       circle("127.0.0.9")},
      {"localhost and a listener on all addresses",
       everywhere + "via = [\"localhost\"]\nmatch = \"*\"\n", circle("localhost")},
      {"another port of ours", Route("via = [\"127.0.0.1:2526\"]"), {}},
      {"our name, another port", Route("via = [\"relay.example.com\"]"), {}},
      {"another loopback address", Route("via = [\"127.0.0.2:2525\"]"), {}},
      {"elsewhere", everywhere + "via = [\"10.0.0.9\"]\nmatch = \"*\"\n", {}},
  });
}

TEST(ConfigErrors, Sites) {
  const std::string site = kFine + "[[site]]\n";
  Check({
      {"empty",
       site,
       {"f:7:1: [[site]] has no \"hosts\"; expected names of mail hosts, for example "
        "\"*.mail.example.net\"; or \"domains\", the recipients'"}},
      {"pattern",
       site + "hosts = [\"mx*.example.net\"]\ndomains = \"joe@example.net\"\n",
       {"f:8:10: \"mx*.example.net\" is not a pattern of mail hosts; expected \"example.net\", "
        "\"*.example.net\" or \"*\"",
        "f:9:11: \"joe@example.net\" is not a pattern of recipient domains; expected "
        "\"example.net\", \"*.example.net\" or \"*\""}},
      {"rate",
       site + "domains = \"*\"\nmax_rate = \"100/fortnight\"\n",
       {"f:9:12: \"max_rate\": \"100/fortnight\" is not a rate; expected 1 to 1000000 in a time, "
        "for example \"5/s\", \"100/min\", \"2000/h\" or \"50000/d\""}},
      {"rate of nothing",
       site + "domains = \"*\"\nmax_rate = \"0/s\"\n",
       {"f:9:12: \"max_rate\": \"0/s\" is not a rate; expected 1 to 1000000 in a time, for example "
        "\"5/s\", \"100/min\", \"2000/h\" or \"50000/d\""}},
      {"rate as a number",
       site + "domains = \"*\"\nmax_rate = 100\n",
       {"f:9:12: \"max_rate\" is an integer; expected a string"}},
      {"connections",
       site + "domains = \"*\"\nmax_connections = 0\n",
       {"f:9:19: \"max_connections\" is 0; expected an integer from 1 to 10000"}},
      {"twice the same name",
       site + "domains = \"a.example\"\n[[site]]\nname = \"a.example\"\nhosts = \"*\"\n",
       {"f:10:8: \"a.example\" is the name of the site in line 7, too; expected a name of its "
        "own"}},
      {"misspelt",
       site + "domains = \"*\"\nmax_connection = 5\n",
       {"f:9:1: unknown key \"max_connection\" in [[site]]; did you mean "
        "\"max_connections\"?"}},
  });
}

TEST(ConfigErrors, RoutesThatAreNeverReached) {
  const auto routes = [](const std::string& first, const std::string& second) {
    return kFine + "[[route]]\nmatch = " + first +
           "\nvia = \"10.0.0.1\"\n[[route]]\nmatch = " + second + "\nvia = \"10.0.0.2\"\n";
  };
  const auto never = [](const std::string& pattern, const std::string& earlier) {
    return std::vector<std::string>{"f:11:9: \"" + pattern +
                                    "\" is never reached; expected it before \"" + earlier +
                                    "\" in line 8, since the first match wins"};
  };
  Check({
      {"after *", routes("\"*\"", "\"example.net\""), never("example.net", "*")},
      {"the same", routes("\"example.net\"", "\"EXAMPLE.net\""),
       never("example.net", "example.net")},
      {"below", routes("\"*.net\"", "\"a.example.net\""), never("a.example.net", "*.net")},
      {"all below", routes("\"*.net\"", "\"*.example.net\""), never("*.example.net", "*.net")},
      {"* twice", routes("\"*\"", "\"*\""), never("*", "*")},
      {"not itself", routes("\"*.example.net\"", "\"example.net\""), {}},
      {"a narrower one first", routes("\"a.example.net\"", "\"*.example.net\""), {}},
      {"another name with the same end", routes("\"*.example.net\"", "\"badexample.net\""), {}},
      {"* last", routes("\"*.example.net\"", "\"*\""), {}},
  });
}

TEST(ConfigErrors, TheOtherTables) {
  Check({
      {"storage",
       kFine + "[storage]\nsegment_size = 1048577\nmax_size = \"2MiB\"\ndirect = 1\n",
       {"f:8:16: \"segment_size\" is 1048577B; expected a multiple of 4KiB",
        "f:9:12: \"max_size\" is 2MiB; expected at least 16 segments (16777232B), or 0 for no "
        "limit but the disk's",
        "f:10:10: \"direct\" is an integer; expected true or false"}},
      {"queue",
       kFine + "[queue]\nundo_period = \"31d\"\nundo = 1\n",
       {"f:8:15: \"undo_period\" is 31d; expected a duration from 0s to 30d",
        "f:9:1: unknown key \"undo\" in [queue]; expected one of undo_period"}},
      {"resolver",
       kFine + "[resolver]\nservers = [\"dns.example\"]\n",
       {"f:8:12: \"dns.example\" is not the address of a name server; expected for example "
        "\"192.0.2.53\" or \"127.0.0.1:5300\""}},
      {"delivery",
       kFine + "[delivery]\nmax_connections = 0\nmail_timeout = \"0s\"\n",
       {"f:8:19: \"max_connections\" is 0; expected an integer from 1 to 10000",
        "f:9:16: \"mail_timeout\" is 0s; expected a duration from 100ms to 1d"}},
      {"log",
       kFine + "[log]\nlevel = \"loud\"\nformat = \"xml\"\nname = \"a/b\"\n",
       {"f:8:9: \"loud\" is not a level; expected \"debug\", \"info\", \"warning\" or \"error\"",
        "f:9:10: \"xml\" is not a format; expected \"json\" or \"classic\"",
        "f:10:8: \"a/b\" is not a program's name; expected 1 to 32 letters, digits, hyphens or "
        "underscores"}},
      {"talk",
       kFine + "[talk]\nmemory = \"1KiB\"\ndisk = \"1KiB\"\n",
       {"f:8:10: \"memory\" is 1KiB; expected a size from 64KiB to 1GiB",
        "f:9:8: \"disk\" is too small; expected 0 or at least \"1MiB\""}},
      {"limits",
       kFine + "[limits]\nmemory = \"1MiB\"\nconnections_out = 0\n",
       {"f:8:10: \"memory\" is 1MiB; expected a size from 64MiB to 1024TiB",
        "f:9:19: \"connections_out\" is 0; expected an integer from 1 to 200000"}},
      {"io",
       kFine + "[io]\ndisable = [\"warp\"]\n",
       {"f:8:12: \"warp\" is not a feature that can be disabled; expected one of defer_taskrun, "
        "single_issuer, multishot_accept, multishot_receive, provided_buffer_ring, msg_ring, "
        "poll_first"}},
  });
}

TEST(ConfigErrors, AreInTheOrderOfTheFile) {
  const std::vector<std::string> errors =
      ParseConfig("zebra = 1\nhostname = 5\nspool = 1\n[io]\nx = 1\n", "f").errors;
  EXPECT_THAT(errors,
              ElementsAre(HasSubstr("f:1:1: the configuration has no [[listener]]"),
                          HasSubstr("f:1:1: unknown key \"zebra\""), HasSubstr("f:2:12: "),
                          HasSubstr("f:3:9: "), HasSubstr("f:5:1: unknown key \"x\" in [io]")));
}

TEST(ConfigErrors, AreBounded) {
  std::string text = kFine + "[io]\n";
  for (int i = 0; i < 2000; ++i) text += "unknown" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(ParseConfig(text, "f").errors.size(), kConfigErrors);
  EXPECT_THAT(ParseConfig(std::string(kConfigFileBytes + 1, '\n'), "f").errors,
              ElementsAre("f:1:1: the file has 16777217B; expected at most 16MiB"));
  EXPECT_THAT(ParseConfig("a = " + std::string(20, '[') + std::string(20, ']'), "f").errors,
              ElementsAre("f:1:20: nested too deeply; expected TOML"));
  // Each part of a key is a table in the one before.
  std::string parts = "a";
  for (int i = 0; i < 1'000'000; ++i) parts += ".a";
  for (const std::string& deep : {parts + " = 1", "[" + parts + "]", "x = {" + parts + " = 1}"}) {
    EXPECT_THAT(
        ParseConfig("# a comment with dots " + std::string(200, '.') + "\n" + deep, "f").errors,
        ElementsAre(HasSubstr("nested too deeply; expected TOML")));
  }
  EXPECT_THAT(ParseConfig("x = \"" + parts + "\"", "f").errors, Not(Contains(HasSubstr("nested"))));
}

}  // namespace
}  // namespace outbox::core
