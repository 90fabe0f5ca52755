#include "peer/shell/stream_recorder.hpp"

#include "peer/shell/key_state.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <ctime>
#include <filesystem>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = RecordingConfig{}.chunk_size;

std::string now_as_name()
{
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    static_cast<void>(std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &parts));
    return text;
}

/// A name that nothing has yet: two broadcasts may begin in one second.
std::string free_path(std::filesystem::path const& folder)
{
    std::string const name = now_as_name();
    std::filesystem::path path = folder / (name + ".ts");
    auto const is_taken = [](std::filesystem::path const& file) {
        return std::filesystem::exists(file) || std::filesystem::exists(file.string() + ".part");
    };
    for (int i = 2; is_taken(path); ++i) {
        path = folder / (name + "-" + std::to_string(i) + ".ts");
    }
    return path.string();
}

} // namespace

Result<std::unique_ptr<StreamRecorder>, std::string>
StreamRecorder::open(std::string const& folder, std::vector<TrackerTier> trackers)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!std::filesystem::is_directory(folder)) {
        return failure("cannot record to " + folder + ": it is no folder");
    }
    std::string path = free_path(folder);
    auto file = RecordingFile::create(path + ".part", std::nullopt);
    if (!file) {
        return failure(std::move(file.error()));
    }
    return std::unique_ptr<StreamRecorder>(
        new StreamRecorder(std::move(path), std::move(trackers), *std::move(file)));
}

StreamRecorder::StreamRecorder(std::string path, std::vector<TrackerTier> trackers,
                               std::unique_ptr<RecordingFile> file)
    : path_(std::move(path)), trackers_(std::move(trackers)), file_(std::move(file)),
      hasher_(integrity::make_hasher(wire::HashFunction::sha256))
{}

StreamRecorder::~StreamRecorder() = default;

bool StreamRecorder::add(Bytes chunks)
{
    if (!error_.empty()) {
        return false;
    }
    if (leaves_.size() + chunks.size() / chunk_size > integrity::static_chunks_max) {
        error_ = "a recording may have " +
                 std::to_string(integrity::static_chunks_max * chunk_size) + " bytes";
        return false;
    }
    for (; !chunks.empty();
         chunks = chunks.subspan(std::min<std::size_t>(chunk_size, chunks.size()))) {
        Bytes const chunk = chunks.first(std::min<std::size_t>(chunk_size, chunks.size()));
        if (!file_->write(leaves_.size() * std::uint64_t{chunk_size}, chunk)) {
            error_ = file_->error();
            leaves_.resize(static_cast<std::size_t>(file_->kept() / chunk_size));
            return false;
        }
        leaves_.push_back(hasher_->leaf(chunk));
    }
    return true;
}

Result<std::optional<StreamRecorder::Recording>, std::string> StreamRecorder::finish()
{
    std::error_code error;
    if (leaves_.empty()) {
        std::filesystem::remove(path_ + ".part", error);
        return std::optional<Recording>{};
    }
    std::uint64_t const length = leaves_.size() * std::uint64_t{chunk_size};
    if (auto const done = file_->finish(length); !done) {
        return failure("the recording " + path_ + ".part is not whole: " + done.error());
    }
    auto const tree = integrity::MerkleTree::from_leaves(*hasher_, leaves_);
    if (!tree) {
        return failure("the recording " + path_ + " has no hash tree");
    }
    Recording recording{path_, {}};
    if (!trackers_.empty()) {
        ChannelLink link;
        Bytes const root = tree->root().bytes();
        link.swarm.assign(root.begin(), root.end());
        link.trackers = trackers_;
        link.length = length;
        recording.link = format_link(link);
    }
    std::filesystem::rename(path_ + ".part", path_, error);
    if (error) {
        return failure("cannot write " + path_ + ": " + error.message());
    }
    if (!recording.link.empty()) {
        auto const written = write_atomically(path_ + ".link", recording.link + "\n");
        if (!written) {
            return failure(written.error());
        }
    }
    return std::optional{std::move(recording)};
}

} // namespace ppsp::peer
