#include "peer/shell/channel_file.hpp"
#include "peer/shell/piece_queue.hpp"
#include "peer/shell/swarm_session.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ppsp/peer.hpp>

namespace ppsp {
namespace {

peer::LiveSwarmConfig to_config(ViewerOptions const& options, peer::SwarmId const& swarm)
{
    peer::LiveSwarmConfig config;
    config.id = swarm;
    config.role = peer::Role::viewer;
    if (options.latency) {
        config.playout.latency = *options.latency;
    }
    return config;
}

/// Why nothing was played: the first link of the chain that is missing.
std::string why_nothing_came(peer::ChannelLink const& link, peer::TrackerProgress const& progress,
                             peer::SwarmStatistics const& figures, bool has_peers,
                             std::chrono::seconds waited)
{
    std::string const within = " within " + std::to_string(waited.count()) + " s";
    if (figures.neighbours > 0) {
        return "the peers found did not send the channel" + within;
    }
    std::size_t const servers = link.caches.size() + link.cdn.size();
    if (!has_peers) {
        return servers == 1 ? "the server named in the link does not have the channel" + within
                            : "none of the servers named in the link has the channel" + within;
    }
    if (link.trackers.empty()) {
        return "no peer named in the link answered" + within;
    }
    std::string const tracker = "the tracker at " + link.trackers.front().front().at.text();
    if (!progress.has_answered) {
        return tracker + " did not answer" + within;
    }
    if (!progress.refusal.empty()) {
        return tracker + " refused: " + progress.refusal;
    }
    if (progress.peers_found == 0) {
        return "nobody sends this channel; waited " + std::to_string(waited.count()) + " s";
    }
    return "none of the peers that the tracker named answered" + within;
}

} // namespace

struct Viewer::Parts {
    explicit Parts(ViewerOptions given) : options(std::move(given)) {}

    void take(peer::MediaReady&& media);
    void watch_join();

    ViewerOptions options;
    peer::ChannelLink link;
    peer::PieceQueue pieces;
    std::unique_ptr<peer::SwarmSession> session;
    /// Before the session ends it is used on the node's thread only.
    std::unique_ptr<boost::asio::steady_timer> join_timer;
    bool has_played = false;
};

void Viewer::Parts::take(peer::MediaReady&& media)
{
    if (!has_played) {
        has_played = true;
        join_timer->cancel();
        session->note_playing();
    }
    pieces.push({std::move(media.bytes), media.signed_at, media.discontinuity});
}

void Viewer::Parts::watch_join()
{
    join_timer = std::make_unique<boost::asio::steady_timer>(session->node().context());
    join_timer->expires_after(options.join_timeout);
    join_timer->async_wait([this](boost::system::error_code const& error) {
        if (error || has_played) {
            return;
        }
        auto& node = session->node();
        auto const figures = node.engine().statistics(node.now(), link.swarm);
        pieces.fail(why_nothing_came(link, session->tracker_progress(),
                                     figures.value_or(peer::SwarmStatistics{}), options.peers,
                                     options.join_timeout));
    });
}

std::unique_ptr<Viewer> Viewer::open(ViewerOptions options, std::string& error)
{
    auto parts = std::make_unique<Parts>(std::move(options));
    Parts* const raw = parts.get();
    integrity::OpensslChecker checker;
    auto link = peer::find_channel(raw->options.link, checker);
    if (!link) {
        error = std::move(link.error());
        return nullptr;
    }
    if (!peer::is_live_id(link->swarm)) {
        error =
            "this is the link of a recording; ppsp-peer LINK --gateway 127.0.0.1:7580 shows it to "
            "any player";
        return nullptr;
    }
    raw->link = *link;
    if (!raw->options.peers && link->caches.empty() && link->cdn.empty()) {
        error = "without peers the link has to name a cache or a CDN (cache=, cdn=)";
        return nullptr;
    }
    auto const listen = peer::parse_listen_address(raw->options.listen);
    if (!listen) {
        error = "cannot listen on " + raw->options.listen + ": it should be ADDRESS:PORT";
        return nullptr;
    }
    peer::SwarmSession::Options session_options;
    session_options.link = *std::move(link);
    session_options.node = {*listen, raw->options.upload_kbps, raw->options.strict,
                            raw->options.forgive_link_loss, raw->options.peers};
    session_options.cache_token = raw->options.cache_token;
    session_options.on_message = raw->options.on_message;
    session_options.on_refused = [raw](std::string const& sentence) { raw->pieces.fail(sentence); };
    session_options.on_media = [raw](peer::MediaReady&& media) { raw->take(std::move(media)); };
    auto session = peer::SwarmSession::open(std::move(session_options));
    if (!session) {
        error = std::move(session.error());
        return nullptr;
    }
    raw->session = *std::move(session);
    raw->session->node().ask([raw] {
        raw->watch_join();
        raw->session->join(to_config(raw->options, raw->link.swarm), nullptr);
    });
    return std::unique_ptr<Viewer>(new Viewer(std::move(parts)));
}

Viewer::Viewer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Viewer::~Viewer()
{
    stop();
    // The timer belongs to the node's context.
    parts_->join_timer.reset();
}

Viewer::ReadStatus Viewer::read(MediaPiece& piece, std::chrono::milliseconds timeout)
{
    return parts_->pieces.pop(piece, timeout);
}

void Viewer::interrupt()
{
    parts_->pieces.set_interrupted(true);
}

void Viewer::resume()
{
    parts_->pieces.set_interrupted(false);
}

void Viewer::stop()
{
    parts_->pieces.end();
    parts_->session->stop();
}

std::string Viewer::error() const
{
    return parts_->pieces.error();
}

std::string Viewer::statistics_json() const
{
    return parts_->session->statistics_json();
}

std::string Viewer::swarm() const
{
    return to_hex(parts_->link.swarm);
}

std::string Viewer::udp_address() const
{
    return parts_->session->node().local_endpoint().text();
}

std::chrono::milliseconds Viewer::latency_target() const
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        parts_->session->statistics().latency_target);
}

} // namespace ppsp
