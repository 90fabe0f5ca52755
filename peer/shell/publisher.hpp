#pragma once

#include "peer/storage/object_collector.hpp"
#include "protocol/integrity/private_key.hpp"
#include "protocol/net/http.hpp"

#include <functional>
#include <memory>

namespace ppsp::peer {

/// Where a source puts its units besides the swarm.
struct PublisherOptions {
    std::string cdn_folder;          ///< for a web server's root; empty = none
    std::vector<net::Url> caches;    ///< the nearest that answers gets every object
    std::string cache_token;         ///< shown to caches
    std::optional<net::Url> cdn_put; ///< WebDAV or any server that takes PUT
    /// Sentences for people, from the publisher's thread.
    std::function<void(std::string const&)> on_message;

    [[nodiscard]] bool is_empty() const { return cdn_folder.empty() && caches.empty() && !cdn_put; }
};

/// Collects a source's units into objects and publishes each once, with the live index, on a thread
/// of its own. Who is slow or away loses objects; the stream goes on.
class Publisher {
public:
    /// Objects that wait for one destination: four seconds.
    static constexpr std::size_t waiting_max = 8;

    /// The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<Publisher>, std::string>
    open(PublisherOptions options, integrity::PrivateKey const& key);
    ~Publisher();
    Publisher(Publisher const&) = delete;
    Publisher& operator=(Publisher const&) = delete;

    /// Once, before the first unit.
    void begin(decade::ObjectFormat const& format, Duration unit_time);
    /// Takes a unit; returns at once. Any one thread.
    void add(CollectedUnit unit);
    /// Publishes what is there, waits at most `time` for it, and ends the thread.
    void stop(std::chrono::milliseconds time);

private:
    struct Parts;
    explicit Publisher(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
