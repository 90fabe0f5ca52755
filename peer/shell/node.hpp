#pragma once

#include "peer/engine/engine.hpp"
#include "peer/shell/udp_socket.hpp"

#include <functional>
#include <future>
#include <memory>
#include <type_traits>

namespace ppsp::peer {

struct NodeOptions {
    Endpoint listen;
    /// kbit/s of UDP payload; nullopt = unlimited, 0 = never upload.
    std::optional<std::uint64_t> upload_kbps;
    bool strict = false;
    bool forgive_link_loss = false; ///< as in NodeConfig
    /// False: no conversation with anybody, caches and CDN only.
    bool peers = true;
    /// Conversations per swarm; nullopt = what NodeConfig has.
    std::optional<std::uint16_t> neighbours_max = std::nullopt;
    /// As in NodeConfig, which says what it is for.
    Duration turn_gap{};
    /// Peers exchange plain addresses on the Internet, too.
    bool pex_plain = false;
};

/// One engine on one UDP socket, run by one thread. Everything else that belongs to the node
/// (tracker client, timers) runs on the same thread by way of `context`.
class Node {
public:
    /// Called on the node's thread; may `post`, but not `handle`.
    struct Listener {
        std::function<void(MediaReady&&)> on_media;
        std::function<void(SwarmId const&)> on_candidates_wanted;
        std::function<void(FetchWanted&&)> on_fetch_wanted;
    };

    /// Binds the socket and starts the thread. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<Node>, std::string> open(NodeOptions const& options,
                                                                         Listener listener);
    /// Ends the thread; what is still to be sent is sent.
    ~Node();
    Node(Node const&) = delete;
    Node& operator=(Node const&) = delete;

    // Any thread:
    [[nodiscard]] Endpoint local_endpoint() const;
    void post(std::function<void()> work);
    [[nodiscard]] bool is_own_thread() const;
    /// Runs `work` on the node's thread and gives its result. The node must not have been stopped.
    template <typename Work>
    auto ask(Work work) -> std::invoke_result_t<Work>
    {
        if (is_own_thread()) {
            return work();
        }
        std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
        auto result = task.get_future();
        post([&task] { task(); });
        return result.get();
    }
    /// Ends the thread; later calls do nothing. The engine can still be asked for figures then.
    void stop();

    // The node's thread only:
    [[nodiscard]] boost::asio::io_context& context();
    /// Hands the engine an input and does what it asks for.
    void handle(Input const& input);
    [[nodiscard]] TimePoint now() const;
    [[nodiscard]] Engine const& engine() const;
    [[nodiscard]] UdpSocket const& socket() const;
    /// Times that a timer was set, each of them system calls.
    [[nodiscard]] std::uint64_t timers_set() const;

private:
    struct Parts;
    explicit Node(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
