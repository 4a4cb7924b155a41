# Names out of the store that the program would find, or that --bolt-path names on this line.
function __influx_recovery_names
  set -l store
  set -l typed (commandline -opc)
  for at in (seq 2 (count $typed))
    switch $typed[$at]
      case --bolt-path
        set store --bolt-path $typed[(math $at + 1)]
      case '--bolt-path=*'
        set store $typed[$at]
    end
  end
  influx-recovery completion $argv[1] $store 2>/dev/null </dev/null
end
