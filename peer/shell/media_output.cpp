#include "peer/shell/media_output.hpp"

#include "peer/chunker/ts_packet.hpp"
#include "peer/shell/host_port.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

constexpr std::string_view udp_scheme = "udp://";
/// Players expect seven transport packets in a datagram: the most that fits an Ethernet frame.
constexpr std::size_t udp_payload_size = 7 * ts::packet_size;
constexpr int poll_interval_ms = 200;

class FileDescriptor {
public:
    FileDescriptor(int fd, bool is_owned) : fd_(fd), is_owned_(is_owned) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_), is_owned_(other.is_owned_)
    {
        other.is_owned_ = false;
    }
    FileDescriptor(FileDescriptor const&) = delete;
    FileDescriptor& operator=(FileDescriptor const&) = delete;
    FileDescriptor& operator=(FileDescriptor&&) = delete;
    ~FileDescriptor()
    {
        if (is_owned_) {
            ::close(fd_);
        }
    }
    [[nodiscard]] int get() const { return fd_; }
    /// On a disk.
    [[nodiscard]] bool is_regular() const
    {
        struct stat status{};
        return ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
    }

private:
    int fd_;
    bool is_owned_;
};

std::string write_sentence(std::string const& name, int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "no space left on the disk for " + name;
    case EPIPE:
        return "the reader of " + name + " has gone";
    default:
        return "cannot write to " + name + ": " + std::strerror(error);
    }
}

class FileOutput final : public MediaOutput {
public:
    FileOutput(std::string name, FileDescriptor file, StopAsked is_stop_asked)
        : name_(std::move(name)), file_(std::move(file)), is_regular_(file_.is_regular()),
          is_stop_asked_(std::move(is_stop_asked))
    {}

    Result<void, std::string> write(Bytes media) override
    {
        while (!media.empty() && !is_stop_asked_()) {
            if (!is_regular_ && !is_writable()) {
                continue;
            }
            std::size_t const size =
                is_regular_ ? media.size() : std::min(media.size(), pipe_piece_size);
            ssize_t const count = ::write(file_.get(), media.data(), size);
            if (count < 0 && errno != EINTR && errno != EAGAIN) {
                return failure(write_sentence(name_, errno));
            }
            media = media.subspan(count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        return {};
    }

private:
    /// Not above PIPE_BUF, so that a pipe that is ready takes it without blocking.
    static constexpr std::size_t pipe_piece_size = 4096;

    /// A pipe that nobody reads must not keep us from ending.
    [[nodiscard]] bool is_writable() const
    {
        pollfd waiting{file_.get(), POLLOUT, 0};
        return ::poll(&waiting, 1, poll_interval_ms) != 0;
    }

    std::string name_;
    FileDescriptor file_;
    bool is_regular_; ///< always takes everything
    StopAsked is_stop_asked_;
};

class UdpOutput final : public MediaOutput {
public:
    explicit UdpOutput(FileDescriptor socket) : socket_(std::move(socket)) {}

    Result<void, std::string> write(Bytes media) override
    {
        packets_.push(media);
        while (auto const packet = packets_.next()) {
            waiting_.insert(waiting_.end(), packet->begin(), packet->end());
            if (waiting_.size() == udp_payload_size) {
                send();
            }
        }
        return {};
    }

    void discontinuity() override { packets_.reset(); }

private:
    void send()
    {
        // Nobody listening yet (ECONNREFUSED) is no reason to stop: UDP players come and go.
        static_cast<void>(::send(socket_.get(), waiting_.data(), waiting_.size(), MSG_NOSIGNAL));
        waiting_.clear();
    }

    FileDescriptor socket_;
    ts::PacketAligner packets_;
    ByteVector waiting_;
};

using Opened = Result<std::unique_ptr<MediaOutput>, std::string>;

Opened open_udp(std::string const& target)
{
    auto const to = parse_host_port(std::string_view{target}.substr(udp_scheme.size()));
    if (!to || to->port == 0) {
        return failure("--output " + target + ": it should be udp://HOST:PORT");
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(to->host.c_str(), std::to_string(to->port).c_str(), &hints, &found) != 0) {
        return failure("--output " + target + ": host " + to->host + " was not found");
    }
    std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const addresses(found, &::freeaddrinfo);
    FileDescriptor socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), true);
    if (socket.get() < 0 || ::connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0) {
        return failure("--output " + target + ": " + std::strerror(errno));
    }
    return std::make_unique<UdpOutput>(std::move(socket));
}

} // namespace

Opened MediaOutput::open(std::string const& target, StopAsked is_stop_asked)
{
    if (target.starts_with(udp_scheme)) {
        return open_udp(target);
    }
    if (target == "-") {
        return std::make_unique<FileOutput>("stdout", FileDescriptor(STDOUT_FILENO, false),
                                            std::move(is_stop_asked));
    }
    int const fd = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return failure("cannot write to " + target + ": " + std::strerror(errno));
    }
    return std::make_unique<FileOutput>(target, FileDescriptor(fd, true), std::move(is_stop_asked));
}

} // namespace ppsp::peer
