"""What everything else stands on: settings, plug-ins, files, bundles, measures."""
