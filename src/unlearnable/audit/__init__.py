"""What would somebody get who trains on the published pictures?"""
