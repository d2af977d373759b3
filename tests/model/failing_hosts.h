// Two hosts whose saves fail, that die and come back, and a model that says what may be seen of them.
#pragma once

#include <rapidcheck.h>

#include <array>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/faulty_object_store.h"
#include "tests/support/test_host.h"

namespace cairn::model {

enum class Event {
  save,     // open O_CREAT|O_TRUNC, write, close
  patch,    // open, write over the first bytes, close
  abandon,  // open, write, and the host dies
  cut,      // nothing that the host asks of the store happens
  unheard,  // its commits happen, but it hears of nothing
  heal,
  restart,  // an orderly end
  kill,
  unlink,
  rename,
  exchange,  // of which the host dies, between the records or before them
  look,      // another host compares
};

struct Step {
  Event event = Event::save;
  int host = 0;
  int name = 0;
  int other = 0;
  int length = 1;
};
std::ostream& operator<<(std::ostream& out, const Step& step);
rc::Gen<std::vector<Step>> steps();

// Contents are unlike each other, so that each says which save it is from; "" is a name that is nobody's, or a file
// that nothing was ever published of. What a name may show is a set: what was acknowledged last, and what failed since,
// which may have happened, or happens later where nothing newer would be buried.
class FailingHosts {
 public:
  FailingHosts();

  // The first thing that must not be, as a sentence; empty if there is none.
  std::string play(const Step& step);
  // All are well again: nothing acknowledged is lost, what failed is published or kept, and the store is clean.
  std::string finish();

 private:
  struct Side {
    std::unique_ptr<FaultyObjectStore> network;
    std::unique_ptr<TestHost> host;
    bool broken = false;
  };
  struct Saved {
    std::string content;
    std::string name;
    int side = 0;
    bool acknowledged = false;
    bool given_up = false;  // by an unlink on its host
  };

  void write(const Step& step, bool patches);
  void saved(const Step& step, const std::string& content, bool acknowledged);
  void abandon(const Step& step);
  void break_network(Side& side, bool unheard);
  void heal(Side& side);
  void come_back(Side& side, bool orderly);
  void unlink(const Step& step);
  void rename(const Step& step);
  std::string exchange(const Step& step);
  std::string look();
  std::string look_at_history();
  std::string account_for(const std::set<std::string>& kept);
  std::set<std::string> failed_on(const std::string& name, int side) const;
  std::string fresh_content(int length);
  std::string shown(const std::string& name);
  std::set<std::string> shown_anywhere();
  static bool commit_all(TestHost& host, const std::string& directory);
  std::set<std::string> kept_contents();

  TestStore store_;
  std::array<Side, 2> sides_;
  TestHost witness_;
  std::map<std::string, std::set<std::string>> may_show_;
  std::vector<Saved> saves_;
  std::set<std::string> never_closed_;
  std::set<std::string> published_;  // as the witness saw it last
  int writes_ = 0;
};

}  // namespace cairn::model
