#pragma once

#include "peer/engine/io.hpp"
#include "peer/shell/host_port.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ppsp::peer {

/// Turns the peers that a link names into candidates: looks their names up at the start, and again
/// when the engine wants candidates. Lives on the io_context's thread.
class LinkPeers {
public:
    /// Time between two look-ups: a peer that was down may be back, perhaps at another address.
    static constexpr Duration interval_min = std::chrono::seconds{2};

    LinkPeers(boost::asio::io_context& context, SwarmId swarm, std::vector<HostPort> peers,
              std::function<void(Input const&)> feed);
    ~LinkPeers();
    LinkPeers(LinkPeers const&) = delete;
    LinkPeers& operator=(LinkPeers const&) = delete;

    /// Does nothing without peers, or when it was asked a moment ago.
    void find();

private:
    struct Parts;
    std::shared_ptr<Parts> parts_;
};

} // namespace ppsp::peer
