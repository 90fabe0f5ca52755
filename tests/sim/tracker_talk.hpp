#pragma once

#include "peer/engine/io.hpp"
#include "peer/shell/candidates.hpp"
#include "peer/shell/tracker_report.hpp"
#include "peer/shell/tracker_timers.hpp"
#include "protocol/base/rng.hpp"
#include "tracker/api/service.hpp"

#include <optional>

namespace ppsp::sim {

/// A peer's conversation with the tracker: the shell's rules and messages without its sockets.
class TrackerTalk {
public:
    /// Without `tells_uplinks` the tracker hears nothing by which peers could be told apart.
    TrackerTalk(std::string swarm_id, std::uint32_t number, Endpoint own, peer::Role role, Rng rng,
                bool tells_uplinks = true);

    /// What to send by `now`; nullopt = nothing yet.
    [[nodiscard]] std::optional<std::string> request(TimePoint now,
                                                     peer::SwarmFigures const& figures);
    /// The goodbye.
    [[nodiscard]] std::string leave() const;
    /// An answer, or nullptr when none came in time. What it tells goes to the engine in order.
    void on_answer(TimePoint now, std::string const* body, std::vector<peer::Input>& inputs);
    /// The engine asks for candidates.
    void want_candidates() { find_wanted_ = true; }
    /// When to call `request` next.
    [[nodiscard]] TimePoint deadline() const;
    [[nodiscard]] bool waiting() const { return waiting_; }

private:
    [[nodiscard]] std::string to_body(decltype(ppstp::Request::body) body) const;
    [[nodiscard]] ppstp::PeerNumber wish() const;

    peer::TrackerTimers timers_;
    std::string swarm_id_;
    std::string peer_id_;
    Endpoint own_;
    peer::Role role_;
    mutable Rng rng_;
    peer::Candidates candidates_;
    peer::TrackerReports reports_;
    bool tells_uplinks_;
    bool registered_ = false;
    bool waiting_ = false; ///< for an answer
    bool find_wanted_ = false;
    bool finding_ = false;
    TimePoint connect_at_{};
    TimePoint find_not_before_{};
    TimePoint report_at_{};
    TimePoint content_at_{};
    std::uint32_t failures_ = 0;
};

} // namespace ppsp::sim
