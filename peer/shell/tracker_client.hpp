#pragma once

#include "peer/engine/io.hpp"
#include "peer/shell/channel_link.hpp"
#include "peer/shell/tracker_report.hpp"
#include "peer/shell/tracker_timers.hpp"
#include "protocol/base/rng.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ppsp::peer {

struct TrackerClientConfig {
    std::vector<TrackerTier> trackers; ///< not empty, and no tier is
    std::string swarm_id;              ///< lower-case hex
    std::string peer_id;
    Role role = Role::viewer;
    Endpoint bound; ///< of the UDP socket
    std::optional<std::uint64_t> upload_kbps;
    std::string ca_file; ///< authorities for HTTPS; empty = those of the system
    TrackerTimers timers;
    /// What a viewer hears while the tracker knows nobody.
    std::string waiting = "waiting for the channel to start";
};

/// All are called on the io_context's thread.
struct TrackerClientPorts {
    /// CandidatesFound, UplinksProven, MembershipIssued and LiveEdgeFound.
    std::function<void(Input const&)> feed;
    /// Figures for reports; nullopt = nothing to tell yet.
    std::function<std::optional<SwarmFigures>()> figures;
    std::function<bool(Endpoint const&)> can_reach;
    /// Sentences for people.
    std::function<void(std::string const&)> message;
    /// The only tracker does not take this channel (error 03 to the first CONNECT): trying again
    /// would not help. Called once with a sentence; may be empty, then `message` gets it.
    std::function<void(std::string const&)> refused;
};

/// How far the tracker brought us; says why a viewer sees nothing.
struct TrackerProgress {
    bool has_answered = false;
    std::size_t peers_found = 0;
    std::string refusal; ///< what the tracker said when it refused the channel
};

/// Keeps one swarm registered at its trackers: CONNECT, FIND when neighbours are wanted,
/// STAT_REPORT, and CONNECT again as soon as a tracker has forgotten us (errors 03 and 06).
class TrackerClient {
public:
    /// Times that a report or question is sent before it is too old to be of use.
    static constexpr int attempts_max = 3;
    /// Peers asked for in one answer: RFC 7846 §3.2.2 wants fewer than 30.
    static constexpr std::uint32_t peers_wanted = 25;

    TrackerClient(boost::asio::io_context& context, TrackerClientConfig config, Rng rng,
                  TrackerClientPorts ports);
    ~TrackerClient();
    TrackerClient(TrackerClient const&) = delete;
    TrackerClient& operator=(TrackerClient const&) = delete;

    void start();
    /// The engine has too few neighbours.
    void want_candidates();
    /// Media flows: outages are no longer urgent.
    void note_playing();
    /// Says goodbye, for at most `leave_timeout`, then calls `done`.
    void leave(std::function<void()> done);

    [[nodiscard]] TrackerProgress progress() const;

private:
    struct Parts;
    std::shared_ptr<Parts> parts_;
};

} // namespace ppsp::peer
