#pragma once

#include "peer/storage/object_collector.hpp"

#include <deque>
#include <filesystem>

namespace ppsp::peer {

/// Objects, aliases and the live index of one channel as plain files, for any web server that has
/// the folder as its root. A file appears whole or not at all: it is written aside and renamed, so
/// that a server never shows half of one. Nothing is synced; after a loss of power the source
/// writes new ones. Not thread-safe.
class CdnFolder {
public:
    /// Objects that are kept: those of the index, and half a minute for who is reading one.
    static constexpr std::size_t objects_max = ObjectCollector::index_objects + 60;

    /// Makes the folder if need be and takes over what an earlier run left of this channel, so that
    /// it is pruned like the rest. The error is a sentence.
    [[nodiscard]] static Result<CdnFolder, std::string> open(std::filesystem::path const& folder,
                                                             ByteVector swarm_id);

    /// The object under its name and its alias, then the index. Removes what is too old.
    [[nodiscard]] Result<void, std::string> publish(CollectedObject const& object,
                                                    std::string_view index_text);

private:
    struct Published {
        std::filesystem::path object;
        std::filesystem::path alias;
    };

    CdnFolder(std::filesystem::path folder, ByteVector swarm_id)
        : folder_(std::move(folder)), swarm_id_(std::move(swarm_id))
    {}
    void adopt();
    void prune();
    [[nodiscard]] std::filesystem::path path_of(std::string const& url_path) const;

    std::filesystem::path folder_;
    ByteVector swarm_id_;
    std::deque<Published> published_; ///< oldest first
};

} // namespace ppsp::peer
